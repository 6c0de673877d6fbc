"""Everything that would make a release fail on this cluster's Knative, found before the build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shipper.model import Problem, Settings
from shipper.model.context import Reporter
from shipper.targets import Conflict, Denied, Invalid, NotFound, PlatformError, Transient
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.cluster import read_cluster
from shipper_targets.knative.kinds import GROUP, SERVICE
from shipper_targets.knative.limits import limit_problems, remarks_of
from shipper_targets.knative.once import as_deployment
from shipper_targets.knative.permissions import Uses, needs
from shipper_targets.knative.rehearsal import rehearse
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.unbuilt import unbuilt
from shipper_targets.kubernetes.access import Access
from shipper_targets.kubernetes.gitops import managed_by
from shipper_targets.kubernetes.kinds import NAMESPACE
from shipper_targets.kubernetes.kinds import SERVICE as PLAIN_SERVICE
from shipper_targets.kubernetes.kube_secrets import KubeSecrets
from shipper_targets.kubernetes.labels import owner_of
from shipper_targets.kubernetes.permissions import Need
from shipper_targets.kubernetes.referenced import reference_problems
from shipper_targets.kubernetes.room import Room
from shipper_targets.kubernetes.secret_refs import SCHEME
from shipper_targets.kubernetes.values import Object, is_leaving, mapping, objects, text

DEFAULT_PLATFORM = "linux/amd64"
_ROLES = "see docs/targets/knative.md, permissions"


class Preflight:
    """Asks the cluster; what depends on nothing there is in limits.py. Never writes."""

    def __init__(self, calls: Calls, own: KnativeSettings, report: Reporter | None) -> None:
        self._calls = calls
        self._api = calls.api
        self._own = own
        self._report = report

    def problems(self, settings: Settings, target: str) -> list[Problem]:
        """All at once. A rehearsal follows when nothing else is wrong: Knative's own opinion of the request."""
        for remark in remarks_of(settings, self._own):
            self._remark(remark)
        try:
            return self._asked(settings, target)
        except Denied as error:
            return [Problem(code=32, key="targets.context", message=str(error), hint=_ROLES)]
        except Transient as error:
            return [Problem(code=33, key="targets.context", message=str(error), hint="is there a way to it?")]
        except PlatformError as error:
            return [Problem(code=2, key="targets", message=str(error), hint="the words are the cluster's own")]

    def platform(self) -> str:
        """The platform that images must have: that of the nodes, if they are of one. Raises Transient."""
        return _the_one(Room(self._api, self._own.cluster, self._remark).platforms())

    def _asked(self, settings: Settings, target: str) -> list[Problem]:
        if found := [*self._no_knative(), *self._no_namespace()]:
            return found
        found = self._permissions(settings)
        service = self._calls.service()
        found += self._somebody_elses(settings, service)
        versions, problems = self._versions(settings)
        found += problems
        cluster = read_cluster(self._api)
        release = unbuilt(settings, versions, target, DEFAULT_PLATFORM)
        found += limit_problems(release, self._own, self._calls.name, cluster)
        if found:
            return found
        whole = as_deployment(release, self._own, self._calls.name)
        found += reference_problems(self._api, whole)
        found += Room(self._api, self._own.cluster, self._remark).problems(settings, whole, beside=True)
        if not found:
            try:
                rehearse(self._calls, service, release, self._own)
            except (Invalid, NotFound) as error:
                found.append(Problem(code=2, key="targets", message=str(error), hint="the words are the cluster's own"))
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

    def _no_namespace(self) -> Iterator[Problem]:
        name = self._own.namespace
        try:
            there = self._api.find(NAMESPACE, name)
        except Denied:
            return
        if there is None:
            hint = f"kubectl create namespace {name}, or correct the name"
            yield Problem(code=2, key="targets.namespace", message=f"there is no namespace {name}", hint=hint)
        elif is_leaving(there):
            message = f"namespace {name} is being deleted"
            yield Problem(code=2, key="targets.namespace", message=message, hint="wait, or use another")

    def _permissions(self, settings: Settings) -> list[Problem]:
        missing = Access(self._api).missing(needs("release", Uses.of(settings, self._own)))
        for one in missing:
            if one.why:
                self._remark(f"not known beforehand: {one.why} ({' and '.join(one.verbs)} {one.resource} is missing)")
        return [_forbidden(one, self._own.namespace) for one in missing if not one.why]

    def _somebody_elses(self, settings: Settings, service: Object | None) -> Iterator[Problem]:
        name = self._calls.name
        wanted = (settings.service.service, settings.service.environment)
        if service is None:
            yield from self._name_taken(name)
            return
        if tool := managed_by(service):
            message = f"Knative Service {name} is managed by {tool}, which would put back what it has in its repository"
            hint = "shipper render writes the manifest for its repository; or take the object out of it"
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

    def _versions(self, settings: Settings) -> tuple[dict[str, str], list[Problem]]:
        """Of each secret of the configuration. Other schemes are the traits' to refuse."""
        secrets, versions, problems = KubeSecrets(self._api), dict[str, str](), list[Problem]()
        for name, reference in settings.run.secrets.items():
            if not reference.startswith(SCHEME):
                continue
            try:
                versions |= secrets.versions({name: reference})
            except (NotFound, Invalid) as error:
                hint = "create it in this namespace, or correct the reference"
                problems.append(Problem(code=2, key=f"run.secrets.{name}", message=str(error), hint=hint))
            except Denied as error:
                hint = "verb get on secrets"
                problems.append(Problem(code=32, key=f"run.secrets.{name}", message=str(error), hint=hint))
        return versions, problems

    def _remark(self, told: str) -> None:
        if self._report is not None:
            self._report.remark(told)


def _forbidden(one: Need, namespace: str) -> Problem:
    resource = f"{one.resource}.{one.group}" if one.group else one.resource
    where = "in the cluster" if one.wide else f"in namespace {namespace}"
    line = f'- {{apiGroups: ["{one.group}"], resources: ["{one.resource}"], verbs: [{", ".join(one.verbs)}]}}'
    return Problem(
        code=32,
        key="targets.context",
        message=f"permission to {' and '.join(one.verbs)} {resource} {where} is missing",
        hint=f"a line for the Role: {line}",
    )


def _the_one(platforms: Sequence[str]) -> str:
    return platforms[0] if len(platforms) == 1 else DEFAULT_PLATFORM
