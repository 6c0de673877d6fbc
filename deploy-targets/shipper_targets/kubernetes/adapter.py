"""What both shapes of a Kubernetes target do alike: everything but moving traffic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property, partial
from pathlib import Path

from shipper.model import (
    Change,
    Dossier,
    Garbage,
    Observation,
    Plan,
    ProbeRequest,
    ProbeResponse,
    Problem,
    Progress,
    Release,
    Restorable,
    Revision,
    Settings,
    Stamp,
    TargetSpec,
    Traits,
)
from shipper.targets import Denied, Retired, TargetContext
from shipper_targets.kubernetes.adopting import given_back
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.asking import Asking
from shipper_targets.kubernetes.carriers import Fence
from shipper_targets.kubernetes.cleaning import Cleaning, garbage_of
from shipper_targets.kubernetes.coming_back import own_differences
from shipper_targets.kubernetes.content import content_of
from shipper_targets.kubernetes.elsewhere import elsewhere
from shipper_targets.kubernetes.files import rendered_files
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.gitops import managed_by
from shipper_targets.kubernetes.instances import Instances
from shipper_targets.kubernetes.jobs import Jobs
from shipper_targets.kubernetes.kinds import DEPLOYMENT
from shipper_targets.kubernetes.kube_secrets import KubeSecrets
from shipper_targets.kubernetes.left_jobs import left_jobs
from shipper_targets.kubernetes.logs import Logs
from shipper_targets.kubernetes.making_room import expendable
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.names import Shape, base_of
from shipper_targets.kubernetes.observing import observation_of
from shipper_targets.kubernetes.past import restorable
from shipper_targets.kubernetes.permitted import refuse_unpermitted
from shipper_targets.kubernetes.planning import Planning
from shipper_targets.kubernetes.preflight import Preflight
from shipper_targets.kubernetes.preflight_parts import require_namespace
from shipper_targets.kubernetes.readiness import Readiness
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.referenced import made_by_others
from shipper_targets.kubernetes.removing import Removing
from shipper_targets.kubernetes.retiring import Retiring
from shipper_targets.kubernetes.settings import KubernetesSettings, traits_of
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.values import name_of
from shipper_targets.kubernetes.writing import Writing
from shipper_targets.kubernetes.writing_rolling import refuse_other_name


class KubernetesTarget(ABC):
    """Implements Probes, AsksInside, Diagnoses, StreamsLogs, Collects, Compares, GivesBack, PinsSecrets, RunsOnce and
    Renders.

    `shape` and `writing` are those of the shape.
    """

    kind = "kubernetes"
    shape: Shape

    def __init__(self, context: TargetContext, own: KubernetesSettings) -> None:
        self._context = context
        self._settings = context.settings
        self._own = own
        self._base = base_of(context.settings, own.name)

    @property
    def traits(self) -> Traits:
        """Of the shape that the strategy asks for."""
        return traits_of(self._settings, self._own)

    @cached_property
    def default_platform(self) -> str:
        """That of the nodes."""
        return self._preflight().platform()

    # Reading

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        """Permissions, limits, room, names, references; then a rehearsal of every object by the API server."""
        return self._preflight().problems(spec.settings, spec.target, spec.command)

    def observe(self) -> Observation:
        """What serves, and everything of ours. `seen` covers what decides traffic: see stamps.seen_of."""
        found = self._reading.now(drift=True)
        observation = observation_of(found, self._own)
        if found.carriers or found.records:
            return observation
        require_namespace(self._api, self._own.namespace)
        return observation.model_copy(update={"remarks": elsewhere(self._api, DEPLOYMENT, self._settings)})

    def plan(self, release: Release, observation: Observation) -> Plan:
        """By server dry runs of every object."""
        return Planning(self._writing, self._own).plan(release, observation)

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """By watches; fails at once where nothing can heal."""
        return self._readiness.follow(revision)

    def diagnose(self, revision: Revision) -> Dossier:
        """From conditions, events and the containers' own last lines."""
        return self._readiness.diagnose(revision)

    def revisions(self) -> Sequence[Revision]:
        """Oldest first."""
        return observation_of(self._reading.now(), self._own).revisions

    def records(self) -> Sequence[Release]:
        """From the Secrets, oldest first."""
        records = self._reading.records
        return records.releases(records.all())

    def restorable(self, release: Release) -> Restorable:
        """Its Deployment, else its manifests; and its secret values."""
        return restorable(self._api, self._reading.now(), self._manifests, release)

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """One of its pods, through the API server."""
        return self._asking.probe(revision, request)

    def ask(self, request: ProbeRequest) -> ProbeResponse:
        """One of the Service's endpoints, through the API server."""
        return self._asking.ask(request)

    def logs(self, revision: Revision, *, lines: int = 200, follow: bool = False) -> Iterator[str]:
        """Of all of its pods, by time."""
        return self._logs.follow(revision, lines) if follow else iter(self._logs.last(revision, lines))

    def secret_versions(self, references: Mapping[str, str]) -> Mapping[str, str]:
        """Name to `kubernetes:SECRET/KEY@UID.VERSION`."""
        return KubeSecrets(self._api).versions(references)

    def secret_value(self, reference: str) -> bytes:
        """From the Secret."""
        return KubeSecrets(self._api).value(reference)

    def run_once(self, release: Release, command: Sequence[str]) -> int:
        """In a Job with the pod of the release."""
        jobs = Jobs(self._api, self._logs, self._own, self._base, self._context.report, self._context.cancel)
        return jobs.run(release, self._manifests.of(release, self._reading.now()), command)

    def content(self, settings: Settings) -> str:
        """Own manifests, and settings of the kind that end in pods."""
        return content_of(self._own, self._source)

    def render(self, release: Release) -> Sequence[tuple[str, str]]:
        """One file for each object; own manifests as they were applied, where this release has a record."""
        recorded = None
        if self._own.has_own_manifests and release.number:  # what was never released has no record: no cluster is asked
            recorded = self._as_applied(release.id)
        return rendered_files(release, self._own, self._source, recorded)

    # Writing

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """Stopped is no pod; removed is no Deployment. What earlier releases had and nothing needs any more goes."""
        with self._fence.telling():
            self._retiring.retire(revisions, to, stamp, seen)

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The stamp alone. Raises NotFound where there is nothing to carry it."""
        with self._fence.telling():
            self._fence.enter(stamp, seen)

    def remove(self, stamp: Stamp, seen: str) -> None:
        """Everything that has our labels; returns when its pods are gone."""
        with self._fence.telling():
            Removing(self._writing).remove(stamp, seen)

    def differences(self, now: Release, then: Release) -> Sequence[Change]:
        """Of own manifests, as each of them was recorded."""
        if not self._own.has_own_manifests:
            return ()  # the settings say it all
        return own_differences(self._manifests, self._reading, now, then)

    def given_back(self) -> str:
        """The Deployment that was replaced in place, or that the Service asked."""
        return given_back(self._api, self._reading.now())

    def garbage(self, keep: Sequence[int], images: Collection[str]) -> Sequence[Garbage]:
        """Records and Deployments of old releases, commands of dead runs; images are the registry's."""
        return [*garbage_of(self._reading.now(), keep), *left_jobs(self._api, self._base)]

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        """One write under the fence, then the deletions."""
        with self._fence.telling():
            return Cleaning(self._writing, self._retiring, self._context.report).collect(garbage, stamp, seen)

    # What these are made of

    @cached_property
    def _api(self) -> Api:
        return Api(self._own, self._context.cancel)

    @cached_property
    def _source(self) -> Source:
        return Source(self._own, Path(self._settings.service.root), self._context.cancel)

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self._api, self._settings, self._own, self.shape, self._own_workload)

    @cached_property
    def _fence(self) -> Fence:
        return Fence(self._api, self._reading, self._settings, self._own, self._context.report)

    @cached_property
    def _manifests(self) -> Manifests:
        return Manifests(self._reading.records, self._own, self._source, self._reading.live)

    @property
    @abstractmethod
    def _writing(self) -> Writing:
        """Of the shape."""

    @cached_property
    def _retiring(self) -> Retiring:
        return Retiring(self._writing)

    @cached_property
    def _instances(self) -> Instances:
        return Instances(self._api, self._workload_of)

    @cached_property
    def _logs(self) -> Logs:
        return Logs(self._api, self._instances, self._context.cancel)

    @cached_property
    def _readiness(self) -> Readiness:
        return Readiness(self._api, self._instances, self._logs, self._settings, self._own, self._coming)

    @cached_property
    def _asking(self) -> Asking:
        port = self._settings.run.port
        return Asking(self._api, self._instances, self._base, port, self._revision_of, self._own_serving)

    def _preflight(self) -> Preflight:
        """One: what is there is read once, at its first need, however many of its questions are about it."""
        now = cache(self._reading.now)
        last = cache(lambda: self._writing.before(now()))
        return Preflight(
            self._api,
            self._own,
            partial(self._as_rendered, now),
            managed_by=managed_by,
            before=lambda manifest: applied.find(manifest.key) if (applied := last()) is not None else None,
            routed=partial(_is_routed, now),
            spare=lambda count: expendable(now(), None, count),
            report=self._context.report,
        )

    def _refuse_unpermitted(self, release: Release) -> None:
        """Raises Denied, of what brings an earlier release back: a release was asked by preflight."""
        if release.rollback_to is not None:
            refuse_unpermitted(self._writing, release, self._reading.now(), self._context.report)

    def _as_rendered(self, now: Callable[[], Found], release: Release) -> Rendered:
        whole = self._manifests.rendered(release, Found(base=self._base, shape=self.shape, routes=False))
        with suppress(Denied):  # preflight says itself what may not be read
            found = now()
            if self._own.has_own_manifests:
                refuse_other_name(found, whole)
            return self._manifests.as_counted(whole, found)
        return whole

    def _own_workload(self) -> str | None:
        """The Deployment of own manifests, where these, and the program that makes them, are on this machine."""
        from shipper.errors import Interrupted, ShipperError
        from shipper_targets.kubernetes.own_manifests import workload_of

        if not self._own.has_own_manifests:
            return None
        try:
            return str(workload_of(self._source.objects, self._settings, self._own).value["metadata"]["name"])
        except Interrupted:
            raise
        except ShipperError:
            return None

    def _own_serving(self) -> str | None:
        """The Deployment of own manifests that serves; their Services have names of the project's own."""
        found = self._reading.now().rolling if self._own.has_own_manifests else None
        return name_of(found) if found is not None else None

    def _coming(self, revision: Revision) -> Collection[str]:
        """Of own manifests, as they were recorded before they were applied."""
        if not self._own.has_own_manifests or revision.release is None:
            return ()
        whole = self._as_applied(revision.release)
        return made_by_others(whole) if whole is not None else ()

    def _as_applied(self, release: str) -> Rendered | None:
        """From its record, by its id; None without one. Nothing else is asked for."""
        return self._manifests.applied(
            next((one for one in self._reading.records.all() if one.release == release), None)
        )

    def _workload_of(self, revision: Revision) -> str:
        """The name of the Deployment that runs a revision."""
        if revision.release is None:
            return revision.name
        found = self._reading.now()
        deployment = found.workload(revision.name) or found.rolling
        return name_of(deployment) if deployment is not None else revision.name

    def _revision_of(self, release: str, number: str | int, workload: str) -> str:
        return f"{self._base}-{number}-{release[-6:].lower()}" if release else workload


def _is_routed(now: Callable[[], Found]) -> bool:
    """Whether there is an HTTPRoute to be moved."""
    with suppress(Denied):  # preflight says itself what may not be read
        return now().route is not None
    return False
