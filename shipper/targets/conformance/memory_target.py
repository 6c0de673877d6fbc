"""What both in-memory targets do alike, as strict as the seam says.

`seen` and epochs are compared under a lock with each write, a write is made whole or not at all, and a target
remembers nothing of its own: whoever connects anew sees the same.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from shipper.errors import Conflict, Invalid, NotFound, Transient
from shipper.model import (
    Address,
    Dossier,
    Drift,
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
    Traffic,
)
from shipper.model.context import Secrets
from shipper.model.target import Change
from shipper.targets.conformance import memory
from shipper.targets.conformance.memory import Held, Memory
from shipper.targets.protocol import Retired

LONGEST_STAMP = 200
"""Characters (design.md section 2: under 200 on the platform itself)."""


class MemoryTarget:
    """What both in-memory targets do alike. Whoever connects anew sees the same `memory`, and nothing else."""

    default_platform = "linux/amd64"
    kind = "memory"

    def __init__(self, memory: Memory, secrets: Secrets) -> None:
        self.memory = memory
        self._secrets = secrets

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        """Volumes are the one thing that there is none of."""
        if spec.settings.run.volumes:
            return [Problem(code=2, message="there are no volumes in memory", key="run.volumes")]
        return ()

    def observe(self) -> Observation:
        """See the seam."""
        with self.memory.lock:
            self._move_on()
            revisions = tuple(self._shown(found) for found in self.memory.held.values())
            return Observation(
                seen=str(self.memory.version),
                serving=tuple(revision for revision in revisions if revision.weight),
                revisions=revisions,
                stamp=self.memory.stamp,
                highest=max((record.number for record in self.memory.records.values()), default=0),
                in_flight=self.memory.in_flight,
                drift=self._drift(),
                capacity=1,
                address=Address(url=f"memory://{self.memory.service}", reach="internal"),
            )

    def plan(self, release: Release, observation: Observation) -> Plan:
        """What a release would change."""
        before = observation.main.name if observation.main else "nothing"
        change = Change(action="create", subject=self._name(release), before=before, after=release.main.reference)
        return Plan(summary=f"{before} -> {self._name(release)}", changes=(change,))

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """A step each time somebody looks."""
        yield Progress(state="waiting", reason="starting")
        while True:
            with self.memory.lock:
                self._move_on()
                step = self._step(revision.name)
            yield step
            if step.state != "waiting":
                return
            time.sleep(memory.PAUSE)

    def diagnose(self, revision: Revision) -> Dossier:
        """Why it is not ready."""
        found = self.memory.held.get(revision.name)
        if found is None:
            return Dossier(cause="unknown", reason="it is gone")
        return Dossier(cause="not-ready", reason="answered 503 at its readiness path")

    def revisions(self) -> Sequence[Revision]:
        """Oldest first."""
        with self.memory.lock:
            return tuple(self._shown(found) for found in self.memory.held.values())

    def records(self) -> Sequence[Release]:
        """Oldest first; a removed revision's record stays, so that its release can be applied again."""
        with self.memory.lock:
            return sorted(self.memory.records.values(), key=lambda record: record.number)

    def restorable(self, release: Release) -> Restorable:
        """By its revision, else by its image and the secret values of then."""
        with self.memory.lock:
            found = self._held(release.id)
            if found is not None and not found.stopped:
                return Restorable(warm=True)
            return Restorable(problems=tuple(self._gone(release)))

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """See the seam. What is not ours is never removed."""
        with self._writing(stamp, seen):
            for revision in revisions:
                self._refuse_traffic(revision.name)
            for revision in revisions:
                self._retire(revision.name, to)

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The stamp alone."""
        with self._writing(stamp, seen):
            pass

    def remove(self, stamp: Stamp, seen: str) -> None:
        """Everything of this service, the stamp too: numbers go on in the ledger."""
        with self._writing(stamp, seen):
            memory = self.memory
            memory.set_weights({})
            for collection in (memory.held, memory.records, memory.secrets, memory.traffic):
                collection.clear()
            memory.stamp, memory.key, memory.in_flight, memory.drifted = Stamp(), None, None, None

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """Ask exactly this revision; not counted as traffic."""
        with self.memory.lock:
            found = self.memory.held.get(revision.name)
            if found is None:
                raise NotFound(f"no revision {revision.name}")
            if found.stopped or found.kind == "crash-loop":
                raise Transient(f"{revision.name} does not answer")
            status, body = found.answer(request.path)
        return ProbeResponse(status=status, headers={}, body=body, revision=found.name)

    def ask(self, request: ProbeRequest) -> ProbeResponse:
        """As a client would."""
        try:
            answer = self.memory.ask(request.path)
        except OSError as error:
            raise Transient(str(error)) from error
        return ProbeResponse(status=answer.status, headers={}, body=answer.body, revision=answer.revision)

    def measure(self) -> Mapping[str, Traffic]:
        """Counters by revision."""
        with self.memory.lock:
            return dict(self.memory.traffic)

    def run_once(self, release: Release, command: Sequence[str]) -> int:
        """`exit STATUS` is all that there is in these images."""
        with self.memory.lock:
            if gone := self._gone(release):
                raise NotFound(gone[0])
            self.memory.ran.append(tuple(command))
        name, status = command
        if name != "exit":
            raise Invalid(f"there is no {name} in the image")
        return int(status)

    def secret_key(self) -> bytes | None:
        """The place's own."""
        return self.memory.key

    def make_secret_key(self) -> bytes:
        """Made once."""
        with self.memory.lock:
            self.memory.key = self.memory.key or os.urandom(16)
            return self.memory.key

    def garbage(self, keep: Sequence[int], images: Collection[str]) -> Sequence[Garbage]:
        """Revisions, records and secret values of releases that neither serve nor are to be kept; never an image."""
        with self.memory.lock:
            return tuple(self._garbage(keep))

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        """What came into use since is left alone."""
        with self._writing(stamp, seen):
            wanted = {(one.kind, one.name) for one in garbage}
            gone = [one for one in self._garbage(()) if (one.kind, one.name) in wanted]
            for one in gone:
                self._collect(one)
            return tuple(gone)

    # What a write goes through.

    @contextlib.contextmanager
    def _writing(self, stamp: Stamp, seen: str) -> Iterator[None]:
        """Version and epoch are compared, and the stamp written, with the write itself; all of it or nothing."""
        with self.memory.lock:
            if seen != str(self.memory.version):
                raise Conflict(f"somebody wrote since: seen {seen}, now {self.memory.version}")
            if stamp.epoch < self.memory.stamp.epoch:
                raise Conflict(f"epoch {stamp.epoch} is older than {self.memory.stamp.epoch}")
            if len(stamp.model_dump_json()) > LONGEST_STAMP:
                raise Invalid(f"a stamp of {len(stamp.model_dump_json())} characters does not fit")
            before, self.memory.stamp = self.memory.stamp, stamp
            try:
                yield
            except BaseException:
                self.memory.stamp = before
                raise
            self.memory.version += 1

    def _hold(self, release: Release) -> Held:
        """The release's revision: the same one for the same id, started again when it was stopped."""
        found = self._held(release.id)
        if found is not None:
            found.stopped = False
            return found
        if gone := self._gone(release):
            raise NotFound(gone[0])
        name = self._name(release)
        if name in self.memory.held:
            raise Conflict(f"number {release.number} belongs to another release")
        kind, text = self.memory.images[release.main.config_digest]
        found = Held(name, release, kind, text, self._secret_values(release))
        self.memory.held[name] = found
        self.memory.records.setdefault(release.id, release)
        return found

    def _secret_values(self, release: Release) -> dict[str, bytes]:
        given = self._given(release)
        wanted = release.secret_versions.items()
        self.memory.secrets |= {(name, version): given[name] for name, version in wanted if name in given}
        return {name: self.memory.secrets[name, version] for name, version in wanted}

    def _given(self, release: Release) -> dict[str, bytes]:
        """Values that this run has, in the versions that the release wants."""
        if not release.secret_versions:
            return {}
        versions = self._secrets.versions(self.memory.key)
        wanted = release.secret_versions
        return {one.name: one.reveal() for one in self._secrets.run() if versions[one.name] == wanted.get(one.name)}

    def _gone(self, release: Release) -> list[str]:
        problems = []
        if release.main.config_digest not in self.memory.images:
            problems.append(f"the image {release.main.reference} is gone: release it again from its sources")
        given = self._given(release)
        stored = self.memory.secrets
        lost = [name for name, version in release.secret_versions.items() if (name, version) not in stored]
        if lost := [name for name in lost if name not in given]:
            problems.append(f"the values of {', '.join(lost)} of then are gone: pass --secrets current")
        return problems

    def _refuse_traffic(self, name: str) -> None:
        if self.memory.weights.get(name):
            raise Invalid(f"{name} has traffic")

    def _retire(self, name: str, to: Retired) -> None:
        found = self.memory.held.get(name)
        if found is None or found.release is None:
            return
        if to == "removed":
            del self.memory.held[name]
            self.memory.traffic.pop(name, None)
        elif to == "stopped":
            found.stopped = True

    def _garbage(self, keep: Sequence[int]) -> Iterator[Garbage]:
        memory = self.memory
        kept = [record for record in memory.records.values() if record.number in keep or self._is_used(record)]
        names = {version for record in kept for version in record.secret_versions.items()}
        for record in (record for record in memory.records.values() if record not in kept):
            why = f"release {record.number} is older than what is kept"
            if self._held(record.id) is not None:
                yield Garbage(kind="revision", name=record.id, why=why)
            yield Garbage(kind="record", name=record.id, why=why)
        for name, version in memory.secrets:
            if (name, version) not in names:
                yield Garbage(kind="secrets", name=f"{name} {version}", why="no release that is kept has this value")

    def _is_used(self, record: Release) -> bool:
        found = self._held(record.id)
        return record.id == self.memory.in_flight or (found is not None and found.name in self.memory.weights)

    def _collect(self, one: Garbage) -> None:
        memory, found = self.memory, self._held(one.name)
        if one.kind == "revision" and found is not None:
            self._retire(found.name, "removed")
        elif one.kind == "record":
            memory.records.pop(one.name, None)
        elif one.kind == "secrets":
            name, _, version = one.name.partition(" ")
            memory.secrets.pop((name, version), None)

    # What is seen.

    def _move_on(self) -> None:
        """Time passes on the platform. Where nothing takes time nothing moves."""

    def _step(self, name: str) -> Progress:
        found = self.memory.held.get(name)
        if found is None:
            raise NotFound(f"no revision {name}")
        if found.kind == "crash-loop":
            dossier = Dossier(cause="crashed", reason="exited with status 3", exit_status=3)
            return Progress(state="failed", reason=dossier.reason, dossier=dossier)
        if found.kind == "never-ready" or found.stopped:
            return Progress(state="waiting", reason="answered 503 at its readiness path")
        return Progress(state="ready")

    def _held(self, release_id: str) -> Held | None:
        found = (held for held in self.memory.held.values() if held.release and held.release.id == release_id)
        return next(found, None)

    def _name(self, release: Release) -> str:
        return f"{self.memory.service}-{release.number}"

    def _shown(self, found: Held) -> Revision:
        release = found.release
        return Revision(
            name=found.name,
            release=release.id if release else None,
            number=release.number if release else 0,
            fingerprint=release.fingerprint if release else None,
            state=_state(found),
            image=release.main.config_digest if release else "",
            created=found.created,
            weight=self.memory.weights.get(found.name, 0),
        )

    def _drift(self) -> tuple[Drift, ...]:
        """A change by hand is gone with the revision that it was made to."""
        if self.memory.drifted not in self.memory.weights:
            return ()
        return (Drift(field="run.memory", ours="none", found="64 MB"),)


def _state(found: Held) -> Literal["running", "stopped", "starting", "failed"]:
    if found.stopped:
        return "stopped"
    if found.kind == "crash-loop":
        return "failed"
    return "starting" if found.kind == "never-ready" else "running"
