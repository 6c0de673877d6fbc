"""Everything that would make a release fail on this cluster, found before the build."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial

from shipper.errors import ConfigError
from shipper.model import Problem, Release, Settings
from shipper.model.context import Reporter
from shipper.targets import Denied, PlatformError, Transient
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.claims import remark_on_claims
from shipper_targets.kubernetes.fronts import gateway_problems, remark_on_ingress
from shipper_targets.kubernetes.kinds import DEPLOYMENT, SERVICE, Kind
from shipper_targets.kubernetes.labels import owner_of
from shipper_targets.kubernetes.limits import limit_problems, remarks_of
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.names import base_of, shape_of
from shipper_targets.kubernetes.own_kinds import kinds_of
from shipper_targets.kubernetes.own_problems import told
from shipper_targets.kubernetes.permissions import Uses, needs
from shipper_targets.kubernetes.pod_security import level_of, violations
from shipper_targets.kubernetes.preflight_parts import (
    DEFAULT_PLATFORM,
    NO_WAY,
    NOT_AS_EXPECTED,
    Command,
    leaving_problem,
    namespace_of,
    permission_problems,
    secret_versions,
    the_one,
)
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.referenced import reference_problems
from shipper_targets.kubernetes.refusals import own_key
from shipper_targets.kubernetes.rehearsal import pod_problems, record_problems, rehearsal_problems
from shipper_targets.kubernetes.room import Room
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.stamps import carries_stamp
from shipper_targets.kubernetes.taking_over import ADOPT
from shipper_targets.kubernetes.unbuilt import unbuilt_here
from shipper_targets.kubernetes.values import Object, is_leaving, made_by, mapping

_ROLES = "see docs/reference/kubernetes-roles.md"


class Preflight:
    """Asks the cluster; what depends on nothing there is in limits.py. Never writes.

    `render` makes a release's manifests; `managed_by` says which GitOps tool an object belongs to, "" for none;
    `before` gives what was applied last of the same object, so that drift is not taken for somebody else's field.
    `routed` says whether there is an HTTPRoute to be moved, which may be from a Gateway of before; `spare` gives the
    record that makes room for another one, where so many releases must stay able to come back.
    """

    def __init__(
        self,
        api: Api,
        own: KubernetesSettings,
        render: Callable[[Release], Rendered],
        *,
        managed_by: Callable[[Object], str] = lambda _: "",
        before: Callable[[Manifest], Manifest | None] = lambda _: None,
        routed: Callable[[], bool] = lambda: False,
        spare: Callable[[int], Record | None] = lambda _: None,
        report: Reporter | None = None,
    ) -> None:
        self._api = api
        self._own = own
        self._render = render
        self._managed_by = managed_by
        self._before = before
        self._routed = routed
        self._spare = spare
        self._report = report
        self._told = set[str]()

    def problems(self, settings: Settings, target: str, command: Command = "release") -> list[Problem]:
        """All at once. A rehearsal follows when nothing else is wrong: the cluster's own opinion of every object."""
        found = limit_problems(settings, self._own)
        for text in remarks_of(settings, self._own):
            self._remark(text)
        try:
            found += self._asked(settings, target, command, bool(found))
        except ConfigError as error:
            key = own_key(self._own)
            found += [Problem(code=2, key=key, message=line, hint=error.hint) for line in told(error)]
        except Denied as error:
            found.append(Problem(code=32, key="targets.context", message=str(error), hint=error.hint or _ROLES))
        except Transient as error:
            found.append(Problem(code=33, key="targets.context", message=str(error), hint=NO_WAY))
        except PlatformError as error:
            found.append(Problem(code=2, key="targets.context", message=str(error), hint=NOT_AS_EXPECTED))
        return found

    def platform(self) -> str:
        """The platform that images must have: that of the nodes, if they are of one. Raises Transient."""
        return the_one(Room(self._api, self._own, self._remark).platforms())

    def _asked(self, settings: Settings, target: str, command: Command, is_wrong: bool) -> list[Problem]:
        namespace, found = namespace_of(self._api, self._own.namespace)
        if found:
            return found
        own = self._own_as_they_are(settings, target)
        others, found = kinds_of(self._api, own, self._own) if own is not None else (None, [])
        found += self._permissions(settings, others, command)
        found += gateway_problems(self._api, self._own)
        if own is None:
            remark_on_ingress(self._api, self._own, self._remark)
        found += self._somebody_elses(settings, own)
        versions, problems = secret_versions(self._api, settings)
        found += problems
        if found or is_wrong:
            return found
        room = Room(self._api, self._own, self._remark)
        whole = self._render(unbuilt_here(settings, versions, target, the_one(room.platforms())))
        find = cache(self._api.find)
        found += reference_problems(self._api, whole, own=own is not None, remark=self._remark, find=find)
        remark_on_claims(self._api, whole, self._remark, find=find)
        found += _not_secure(namespace, whole, self._own)
        beside = shape_of(settings.rollout.strategy) == "weighted"
        found += room.problems(settings, whole, beside=beside)
        if not found:
            found += rehearsal_problems(self._api, whole, self._own, before=self._before, remark=self._remark)
        if not found:  # of a Deployment that is not taken no pod can be made
            found += pod_problems(self._api, whole, self._own, remark=self._remark)
            spare = partial(self._spare, settings.rollback.releases)
            found += record_problems(self._api, whole, self._own, spare=spare, remark=self._remark)
        return found

    def _own_as_they_are(self, settings: Settings, target: str) -> Rendered | None:
        """Own manifests need nothing of the cluster to be read. Raises ConfigError."""
        if not self._own.has_own_manifests:
            return None
        return self._render(unbuilt_here(settings, {}, target, DEFAULT_PLATFORM))

    def _permissions(self, settings: Settings, others: Sequence[Kind] | None, command: Command) -> list[Problem]:
        uses = Uses.of(settings, self._own, others)
        uses = replace(uses, gateway=uses.gateway or self._routed())
        return permission_problems(self._api, lambda one: needs(one, uses), command, self._own.namespace, self._remark)

    def _somebody_elses(self, settings: Settings, own: Rendered | None) -> Iterator[Problem]:
        """What carries the stamp: Deployment and Service, of own manifests the Deployment alone."""
        base = base_of(settings, self._own.name)
        wanted = (settings.service.service, settings.service.environment)
        names = [(DEPLOYMENT, base), (SERVICE, base)] if own is None else [(DEPLOYMENT, own.workload.name)]
        for kind, name in names:
            try:
                there = self._api.find(kind, name)
            except Denied:
                continue
            if there is None:
                continue
            what, owner = f"{kind} {name}", owner_of(mapping(there, "metadata", "labels"))
            if is_leaving(there):
                yield leaving_problem(what, there)
                continue
            if maker := made_by(there):
                message = f"{what} is made by {maker}, which would make it again"
                yield Problem(code=2, key="targets.name", message=message, hint="give this one a name of its own")
                continue
            if tool := self._managed_by(there):
                hint = (
                    "shipper publish makes the image, shipper render writes the manifests for its repository; "
                    "or take the object out of it"
                )
                message = f"{what} is managed by {tool}, which would put back what it has in its repository"
                yield Problem(code=2, key="targets", message=message, hint=hint)
            if owner is not None and owner != wanted:
                message = f"{what} is that of {' in '.join(owner)}"
                hint = "give this one a name of its own: [targets.<name>] name = …"
                yield Problem(code=2, key="targets.name", message=message, hint=hint)
            elif owner is None and not self._own.adopt and not carries_stamp(there):
                message = f"{what} is there, and shipper did not make it"
                hint = f"{ADOPT}; or give this one a name of its own: [targets.<name>] name = …"
                yield Problem(code=2, key="targets.adopt", message=message, hint=hint)

    def _remark(self, text: str) -> None:
        if self._report is not None and text not in self._told:
            self._told.add(text)
            self._report.remark(text)


def _not_secure(namespace: Object, whole: Rendered, own: KubernetesSettings) -> Iterator[Problem]:
    level = level_of(namespace)
    for key, what in violations(level, mapping(whole.main.body, "spec", "template", "spec")):
        message = f"the namespace's Pod Security level {level} does not allow: {what}"
        yield Problem(code=2, key=key or own_key(own), message=message, hint="tighten it, or use another namespace")
