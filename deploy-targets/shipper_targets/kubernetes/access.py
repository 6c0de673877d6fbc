"""Asking the API server what we may do there, before anything is tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from shipper.targets import retry_transient
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import ACCESS_REVIEW, Kind
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.permissions import Need
from shipper_targets.kubernetes.values import Object, at, objects

RULES_REVIEW = Kind("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False)


class Access:
    """Everybody who is authenticated may ask this about himself."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def missing(self, many: Iterable[Need]) -> list[Need]:
        """Those that we may not do, each with the verbs that are missing. Raises Denied, Transient.

        One question about all rules first; it may not know everything (an authorizer outside), so that what is not
        among them is asked one by one.
        """
        wanted = list(many)
        known = self._rules()
        open_ones = [
            (one, verb)
            for one in wanted
            for verb in one.verbs
            if one.wide or not any(_allows(rule, one, verb) for rule in known)
        ]
        if not open_ones:
            return []
        answers = at_once([partial(self._may, *asked) for asked in open_ones])
        refused = [asked for asked, allowed in zip(open_ones, answers, strict=True) if not allowed]
        return [_only(one, [verb for other, verb in refused if other == one]) for one in wanted if one in dict(refused)]

    def _rules(self) -> Sequence[Object]:
        body = {"apiVersion": RULES_REVIEW.api_version, "kind": RULES_REVIEW.kind}
        spec = {"namespace": self._api.namespace}
        found = retry_transient(lambda: self._api.create(RULES_REVIEW, {**body, "spec": spec}))
        return objects(found, "status", "resourceRules")

    def _may(self, one: Need, verb: str) -> bool:
        resource, _, subresource = one.resource.partition("/")
        asked: Mapping[str, str] = {
            "namespace": "" if one.wide else self._api.namespace,
            "verb": verb,
            "group": one.group,
            "resource": resource,
            "subresource": subresource,
            # Whether a namespace may be read is asked about the namespace itself.
            "name": self._api.namespace if resource == "namespaces" else "",
        }
        body = {"apiVersion": ACCESS_REVIEW.api_version, "kind": ACCESS_REVIEW.kind}
        spec = {"resourceAttributes": {key: value for key, value in asked.items() if value}}
        found = retry_transient(lambda: self._api.create(ACCESS_REVIEW, {**body, "spec": spec}))
        return at(found, "status", "allowed") is True


def _allows(rule: Object, one: Need, verb: str) -> bool:
    return not rule.get("resourceNames") and all(
        wanted in given or "*" in given
        for wanted, given in (
            (verb, list(_texts(rule, "verbs"))),
            (one.group, list(_texts(rule, "apiGroups"))),
            (one.resource, list(_texts(rule, "resources"))),
        )
    )


def _texts(rule: Object, member: str) -> Iterator[str]:
    found = rule.get(member)
    yield from (one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _only(one: Need, verbs: Sequence[str]) -> Need:
    return Need(one.group, one.resource, tuple(verbs), one.wide, one.why)
