"""Everything that would make a release fail on this cluster's Knative, found before the build."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from shipper.model import Problem, Settings
from shipper.model.context import Reporter
from shipper.targets import Conflict, Denied, Invalid, NotFound, PlatformError, Transient
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.cluster import read_cluster
from shipper_targets.knative.kinds import GROUP, SERVICE
from shipper_targets.knative.limits import limit_problems, remarks_of, what_to_do
from shipper_targets.knative.once import as_deployment
from shipper_targets.knative.permissions import Uses, needs
from shipper_targets.knative.rehearsal import rehearse
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.claims import remark_on_claims
from shipper_targets.kubernetes.gitops import managed_by
from shipper_targets.kubernetes.kinds import SERVICE as PLAIN_SERVICE
from shipper_targets.kubernetes.labels import owner_of
from shipper_targets.kubernetes.preflight_parts import (
    DEFAULT_PLATFORM,
    NO_WAY,
    NOT_AS_EXPECTED,
    Command,
    namespace_of,
    permission_problems,
    secret_versions,
    the_one,
)
from shipper_targets.kubernetes.referenced import reference_problems
from shipper_targets.kubernetes.room import Room
from shipper_targets.kubernetes.unbuilt import unbuilt_here
from shipper_targets.kubernetes.values import Object, mapping, objects, text

_ROLES = "see docs/targets/knative.md, permissions"


class Preflight:
    """Asks the cluster; what depends on nothing there is in limits.py. Never writes."""

    def __init__(self, calls: Calls, own: KnativeSettings, report: Reporter | None) -> None:
        self._calls = calls
        self._api = calls.api
        self._own = own
        self._report = report

    def problems(self, settings: Settings, target: str, command: Command = "release") -> list[Problem]:
        """All at once. A rehearsal follows when nothing else is wrong: Knative's own opinion of the request."""
        for remark in remarks_of(settings, self._own):
            self._remark(remark)
        try:
            return self._asked(settings, target, command)
        except Denied as error:
            return [Problem(code=32, key="targets.context", message=str(error), hint=error.hint or _ROLES)]
        except Transient as error:
            return [Problem(code=33, key="targets.context", message=str(error), hint=NO_WAY)]
        except PlatformError as error:
            return [Problem(code=2, key="targets.context", message=str(error), hint=NOT_AS_EXPECTED)]

    def platform(self) -> str:
        """The platform that images must have: that of the nodes, if they are of one. Raises Transient."""
        return the_one(Room(self._api, self._own.cluster, self._remark).platforms())

    def _asked(self, settings: Settings, target: str, command: Command) -> list[Problem]:
        if found := [*self._no_knative(), *namespace_of(self._api, self._own.namespace)[1]]:
            return found
        found = self._permissions(settings, command)
        service = self._calls.service()
        found += self._somebody_elses(settings, service)
        versions, problems = secret_versions(self._api, settings)
        found += problems
        cluster = read_cluster(self._api)
        release = unbuilt_here(settings, versions, target, DEFAULT_PLATFORM)
        found += limit_problems(release, self._own, self._calls.name, cluster)
        if found:
            return found
        whole = as_deployment(release, self._own, self._calls.name)
        find = cache(self._api.find)
        found += reference_problems(self._api, whole, find=find)
        remark_on_claims(self._api, whole, self._remark, find=find)
        found += Room(self._api, self._own.cluster, self._remark).problems(settings, whole, beside=True)
        if not found:
            try:
                rehearse(self._calls, service, release, self._own)
            except (Invalid, NotFound) as error:
                key, hint = what_to_do(str(error))
                found.append(Problem(code=2, key=key, message=str(error), hint=hint))
            except Conflict as error:  # only its status has changed since it was read, or somebody else releases
                self._remark(f"whether Knative takes this is not known beforehand: {error}")
        return found

    def _no_knative(self) -> Iterator[Problem]:
        if not self._api.knows(SERVICE):
            yield Problem(
                code=2,
                key="targets.kind",
                message=f"this cluster has no Knative Serving ({GROUP}/v1)",
                hint='install it, or use a target of kind = "kubernetes"',
            )

    def _permissions(self, settings: Settings, command: Command) -> list[Problem]:
        uses = Uses.of(settings, self._own)
        return permission_problems(self._api, lambda one: needs(one, uses), command, self._own.namespace, self._remark)

    def _somebody_elses(self, settings: Settings, service: Object | None) -> Iterator[Problem]:
        name = self._calls.name
        wanted = (settings.service.service, settings.service.environment)
        if service is None:
            yield from self._name_taken(name)
            return
        if tool := managed_by(service):
            message = f"Knative Service {name} is managed by {tool}, which would put back what it has in its repository"
            hint = (
                "shipper publish makes the image, shipper render writes the manifest for its repository; "
                "or take the object out of it"
            )
            yield Problem(code=2, key="targets", message=message, hint=hint)
        labels = {key: str(value) for key, value in mapping(service, "metadata", "labels").items()}
        owner = owner_of(labels)
        if owner not in (None, wanted):
            message = f"{name} is the Knative Service of {' in '.join(owner)}"
            yield Problem(code=2, key="targets.name", message=message, hint='give this one another name: name = "…"')

    def _name_taken(self, name: str) -> Iterator[Problem]:
        """Knative makes a Service of Kubernetes under the same name, and gives up over one that it does not own."""
        try:
            there = self._api.find(PLAIN_SERVICE, name)
        except Denied:
            return
        owners = objects(there, "metadata", "ownerReferences")
        if there is not None and not any(text(one, "apiVersion").startswith(GROUP) for one in owners):
            message = (
                f"a Service {name} of Kubernetes is in namespace {self._own.namespace}, and Knative needs its name"
            )
            yield Problem(
                code=2, key="targets.name", message=message, hint='delete it, or choose another name: name = "…"'
            )

    def _remark(self, told: str) -> None:
        if self._report is not None:
            self._report.remark(told)
