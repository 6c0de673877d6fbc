"""The Cloud Run target: one service, one revision for each release, traffic by the service's own routes."""

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
    Stamp,
    TargetSpec,
)
from shipper.targets import PlatformError, Retired, TargetContext, Transient, as_planned
from shipper_targets.cloudrun.api import Api, Unfinished
from shipper_targets.cloudrun.cleaning import KIND, delete_revisions, garbage_of
from shipper_targets.cloudrun.clients import Clients
from shipper_targets.cloudrun.identity import Identity
from shipper_targets.cloudrun.limits import PLATFORM
from shipper_targets.cloudrun.logs import Logs
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.past import Past
from shipper_targets.cloudrun.planning import plan_of
from shipper_targets.cloudrun.preflight import PLACEHOLDER, Preflight
from shipper_targets.cloudrun.questions import Questions
from shipper_targets.cloudrun.readiness import Readiness
from shipper_targets.cloudrun.reading import Reading
from shipper_targets.cloudrun.rehearsal import rehearse
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.secret_manager import SecretManager
from shipper_targets.cloudrun.settings import TRAITS, CloudRunSettings
from shipper_targets.cloudrun.writing import Writing


class CloudRunTarget:
    """Implements SplitsTraffic, StreamsLogs, Diagnoses, Collects and PinsSecrets.

    A service that only answers inside its network cannot be asked from here: see ReachableTarget.
    """

    kind = "cloudrun"
    traits = TRAITS.model_copy(update={"probes_revisions": False})
    default_platform = PLATFORM

    def __init__(self, context: TargetContext, own: CloudRunSettings) -> None:
        self._context = context
        self._own = own
        self._names = names_of(context.settings, own)

    # Reading

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        """Limits, image registry, permissions, secrets; then the platform's own opinion (validate_only)."""
        report = self._context.report
        check = Preflight(self._api, self._rest, self._secrets, self._identity, self._own, report)
        return check.problems(spec.settings, spec.target)

    def observe(self) -> Observation:
        """What is routed now, every revision of ours, stamp and drift. `seen` is the service's etag."""
        return self._reading.now().observation()

    def plan(self, release: Release, observation: Observation) -> Plan:
        """Field by field against what serves; the platform validates the request (validate_only)."""
        remarks = []
        try:
            rehearse(self._api, as_planned(release, PLACEHOLDER), self._own)
        except (Transient, Unfinished) as error:
            remarks.append(f"Cloud Run could not be asked whether it takes this: {error}")
        except PlatformError as error:
            remarks.append(f"Cloud Run would not take this: {error}")
        return plan_of(release, observation, self._reading.now(), self._own, tuple(remarks))

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """The platform's conditions, every 0.4 s; a revision that it has given up fails at once."""
        return self._readiness.follow(revision)

    def diagnose(self, revision: Revision) -> Dossier:
        """Conditions, and the last lines from Cloud Logging where we may read them."""
        return self._readiness.diagnose(revision)

    def revisions(self) -> Sequence[Revision]:
        """Oldest first."""
        return self.observe().revisions

    def records(self) -> Sequence[Release]:
        """From the annotations of our revisions, oldest first."""
        return sorted(self._reading.recent().releases.values(), key=lambda release: (release.number, release.id))

    def restorable(self, release: Release) -> Restorable:
        """Its revision, else its image and the pinned versions of its secrets."""
        return self._past.restorable(release)

    def logs(self, revision: Revision, *, lines: int = 200, follow: bool = False) -> Iterator[str]:
        """From Cloud Logging."""
        return self._logs.follow(revision.name, lines) if follow else iter(self._logs.last(revision.name, lines))

    def secret_versions(self, references: Mapping[str, str]) -> Mapping[str, str]:
        """Name to `projects/P/secrets/S/versions/7`, enabled now."""
        return self._secrets.pinned(references)

    def secret_value(self, reference: str) -> bytes:
        """From Secret Manager."""
        return self._secrets.value(reference)

    # Writing

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """One write: template, stamp, and traffic pinned to what is routed now, the new one at 0 % with a tag.

        Where nothing is routed it serves as soon as it is ready. Returns when the platform has accepted it.
        """
        with self._writes(revisions=True) as writing:
            return writing.create(release, stamp, seen)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """One write of traffic and stamp; returns when it is routed so.

        Cloud Run cannot take all traffic away. No weights at all is putting back to nothing: where nothing was ever
        verified the service is deleted, elsewhere it is Invalid.
        """
        with self._writes() as writing:
            writing.shift(weights, stamp, seen)

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """One write drops their tags: without traffic and tag they cost nothing, and one write brings them back.

        removed: deleted, but for the newest one of the service, which Cloud Run keeps until there is a newer one. A
        service that has nothing but failed first attempts goes as a whole.
        """
        with self._writes(revisions=to == "removed") as writing:
            writing.retire({one.name for one in revisions}, to, stamp, seen)

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The stamp alone. Raises NotFound where there is no service to carry it."""
        with self._writes() as writing:
            writing.write_stamp(stamp, seen)

    def remove(self, stamp: Stamp, seen: str) -> None:
        """Deletes the service with all of its revisions, if it is the one that was seen."""
        with self._writes(revisions=True) as writing:
            writing.remove(stamp, seen)

    def garbage(self, keep: Sequence[int], images: Collection[str]) -> Sequence[Garbage]:
        """Revisions of ours; images are never deleted here."""
        return garbage_of(self._reading.now(), keep)

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        """One write under the fence, then the deletions."""
        names = [item.name for item in garbage if item.kind == KIND]
        with self._writes(revisions=True) as writing:
            writing.retire(set(), "warm", stamp, seen)
        with self._writes(revisions=True):
            gone = delete_revisions(self._api, self._reading.now(), names, self._context.report)
        return tuple(item for item in garbage if item.kind == KIND and item.name in gone)

    # What these are made of

    @cached_property
    def _clients(self) -> Clients:
        return Clients(self._own)

    @cached_property
    def _api(self) -> Api:
        return Api(self._clients, self._names)

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self._api)

    @cached_property
    def _rest(self) -> Rest:
        return Rest(self._clients)

    @cached_property
    def _secrets(self) -> SecretManager:
        return SecretManager(self._rest, self._own.project)

    @cached_property
    def _logs(self) -> Logs:
        return Logs(self._rest, self._names, self._context.cancel)

    @cached_property
    def _questions(self) -> Questions:
        return Questions(self._api, self._identity)

    @cached_property
    def _identity(self) -> Identity:
        return Identity(self._clients, self._rest)

    @cached_property
    def _readiness(self) -> Readiness:
        return Readiness(self._api, self._logs, self._context.settings)

    @cached_property
    def _past(self) -> Past:
        return Past(self._api, self._rest, self._secrets, self._context.report)

    @cached_property
    def _writing(self) -> Writing:
        context = self._context
        return Writing(self._api, self._reading, self._own, context.settings.service, context.report, context.cancel)

    @contextmanager
    def _writes(self, *, revisions: bool = False) -> Iterator[Writing]:
        """What was read is out of date with a write of ours, whatever becomes of it."""
        try:
            yield self._writing
        finally:
            self._questions.forget()
            self._reading.forget(revisions=revisions)


class ReachableTarget(CloudRunTarget):
    """Implements Probes and Authorizes, too: its service is asked over the internet."""

    traits = TRAITS

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """By its tag's URL, with an identity token; by the service's own once it has all of the traffic."""
        return self._questions.probe(revision, request)

    def authorization(self) -> Mapping[str, str]:
        """An identity token for the service's URL."""
        return self._questions.authorization()
