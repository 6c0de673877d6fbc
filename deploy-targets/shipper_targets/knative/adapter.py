"""The Knative target: one Service, one named revision for each release, traffic by the Service's own routes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

from shipper.model import (
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
)
from shipper.targets import Conflict, PlatformError, Retired, TargetContext, Transient, as_planned, delete_each
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.cleaning import KIND, delete_revisions, garbage_of
from shipper_targets.knative.content import content_of, file_of
from shipper_targets.knative.kinds import SERVICE
from shipper_targets.knative.names import name_of_release, service_name
from shipper_targets.knative.once import as_deployment
from shipper_targets.knative.past import Past
from shipper_targets.knative.planning import plan_of
from shipper_targets.knative.pods_of import RevisionPods
from shipper_targets.knative.preflight import Preflight
from shipper_targets.knative.questions import Questions
from shipper_targets.knative.readiness import Readiness
from shipper_targets.knative.reading import Reading
from shipper_targets.knative.rehearsal import rehearse
from shipper_targets.knative.settings import TRAITS, KnativeSettings
from shipper_targets.knative.writing import Writing
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.elsewhere import elsewhere
from shipper_targets.kubernetes.jobs import Jobs
from shipper_targets.kubernetes.kube_secrets import KubeSecrets
from shipper_targets.kubernetes.left_jobs import LEFTOVER, end_job, left_jobs
from shipper_targets.kubernetes.logs import Logs
from shipper_targets.kubernetes.plan_parts import Stood
from shipper_targets.kubernetes.preflight_parts import require_namespace
from shipper_targets.kubernetes.unbuilt import unpushed


class KnativeTarget:
    """Implements SplitsTraffic; Probes, AsksInside, StreamsLogs, Diagnoses, Collects, PinsSecrets, RunsOnce, Renders.

    Every write is one of its Service, made upon what was seen of it.
    """

    kind = "knative"
    traits = TRAITS

    def __init__(self, context: TargetContext, own: KnativeSettings) -> None:
        self._context = context
        self._own = own
        self._name = service_name(context.settings, own)

    @cached_property
    def default_platform(self) -> str:
        """That of the nodes."""
        return self._preflight.platform()

    # Reading

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        """Permissions, names, secrets, room, what Knative's webhooks would refuse; then their own opinion (dry run)."""
        return self._preflight.problems(spec.settings, spec.target, spec.command)

    def observe(self) -> Observation:
        """What is routed now, every revision of ours, stamp and drift. `seen` is what is ours of the Service."""
        found = self._reading.now()
        if found.service is not None or found.revisions:
            return found.observation()
        require_namespace(self._api, self._own.namespace)
        others = elsewhere(self._api, SERVICE, self._context.settings)
        return found.observation().model_copy(update={"remarks": others})

    def plan(self, release: Release, observation: Observation) -> Plan:
        """Field by field against what serves; Knative's webhooks judge the request (dry run)."""
        found, remarks = self._reading.now(), []
        unknown = unpushed(release.settings)
        stood = Stood.of(name_of_release(self._name, release), self._name, unknown)
        try:
            rehearse(self._calls, found.service, as_planned(release, unknown), self._own)
        except (Transient, Conflict) as error:
            remarks.append(f"Knative could not be asked whether it takes this: {stood.text(str(error))}")
        except PlatformError as error:
            remarks.append(f"Knative would not take this: {stood.text(str(error))}")
        return plan_of(release, observation, found, self._own, tuple(remarks))

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """By its conditions and its pods, every quarter of a second; what cannot heal fails at once."""
        return self._readiness.follow(revision)

    def diagnose(self, revision: Revision) -> Dossier:
        """From its pods, with the container's own last lines, else from its conditions."""
        return self._readiness.diagnose(revision)

    def revisions(self) -> Sequence[Revision]:
        """Oldest first."""
        return self.observe().revisions

    def records(self) -> Sequence[Release]:
        """From the annotations of our revisions, oldest first."""
        return sorted(self._reading.recent().releases.values(), key=lambda release: (release.number, release.id))

    def restorable(self, release: Release) -> Restorable:
        """Its revision, and the values of its secrets."""
        return self._past.restorable(release)

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """By its tag's host name at the ingress, else one of its pods through the API server."""
        return self._questions.probe(revision, request)

    def ask(self, request: ProbeRequest) -> ProbeResponse:
        """One of the pods of what serves, by its share of the traffic, through the API server."""
        return self._questions.ask(request)

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
        """In a Job of Kubernetes with the pod of the release."""
        context = self._context
        jobs = Jobs(self._api, self._logs, self._own.cluster, self._name, context.report, context.cancel)
        return jobs.run(release, as_deployment(release, self._own, self._name), command)

    def content(self, settings: Settings) -> str:
        """The kind's own settings that end in revisions."""
        return content_of(self._own)

    def render(self, release: Release) -> Sequence[tuple[str, str]]:
        """The Service, without release and traffic. Raises ConfigError for what Knative would refuse."""
        return (file_of(release, self._own, self._name),)

    # Writing

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """One write: template, stamp, and traffic pinned to what is routed now, the new one at 0 % with a tag.

        Where nothing is routed it serves as soon as it is ready. Returns when the platform has accepted it.
        """
        with self._writes(revisions=True) as writing:
            return writing.create(release, stamp, seen)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """One write of traffic and stamp; returns when it is routed so.

        Knative cannot take all traffic away. No weights at all is putting back to nothing: where nothing was ever
        verified the Service is deleted, elsewhere it is Invalid.
        """
        with self._writes() as writing:
            writing.shift(weights, stamp, seen)

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """One write drops their tags: without traffic and tag they scale to zero, and one write brings them back. Warm,
        those with a smallest number of instances keep tag and instances.

        removed: deleted, but for the newest one of the Service, which Knative would make again. A Service that has
        nothing but failed first attempts goes as a whole; of one that a GitOps tool manages nothing does.
        """
        with self._writes(revisions=to == "removed") as writing:
            writing.retire({one.name for one in revisions}, to, stamp, seen)

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The stamp alone. Raises NotFound where there is no Service to carry it."""
        with self._writes() as writing:
            writing.write_stamp(stamp, seen)

    def remove(self, stamp: Stamp, seen: str) -> None:
        """Deletes the Service with all of its revisions, if it is the one that was seen."""
        with self._writes(revisions=True) as writing:
            writing.remove(stamp, seen)

    def garbage(self, keep: Sequence[int], images: Collection[str]) -> Sequence[Garbage]:
        """Revisions of ours, commands of dead runs; images are never deleted here."""
        return [*garbage_of(self._reading.now(), keep), *left_jobs(self._api, self._name)]

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        """One write under the fence, then the deletions."""
        names = [item.name for item in garbage if item.kind == KIND]
        with self._writes(revisions=True) as writing:
            writing.untag({*names}, stamp, seen)
        with self._writes(revisions=True):
            gone = delete_revisions(self._calls, self._reading.now(), names, self._context.report)
        jobs = [item.name for item in garbage if item.kind == LEFTOVER]
        ended = delete_each(jobs, lambda name: end_job(self._api, name, self._name), self._context.report)
        return tuple(item for item in garbage if item.name in (*gone, *ended))

    # What these are made of

    @cached_property
    def _api(self) -> Api:
        return Api(self._own.cluster, self._context.cancel)

    @cached_property
    def _calls(self) -> Calls:
        return Calls(self._api, self._name)

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self._calls, self._own)

    @cached_property
    def _logs(self) -> Logs:
        return Logs(self._api, RevisionPods(self._calls), self._context.cancel)

    @cached_property
    def _questions(self) -> Questions:
        return Questions(self._calls, self._own)

    @cached_property
    def _readiness(self) -> Readiness:
        return Readiness(self._calls, self._logs, self._context.settings, self._own)

    @cached_property
    def _past(self) -> Past:
        return Past(self._calls, self._context.report)

    @cached_property
    def _preflight(self) -> Preflight:
        return Preflight(self._calls, self._own, self._context.report)

    @cached_property
    def _writing(self) -> Writing:
        context = self._context
        return Writing(self._calls, self._reading, self._own, context.settings.service, context.report, context.cancel)

    @contextmanager
    def _writes(self, *, revisions: bool = False) -> Iterator[Writing]:
        """What was read is out of date with a write of ours, whatever becomes of it."""
        try:
            yield self._writing
        finally:
            self._questions.forget()
            self._reading.forget(revisions=revisions)
