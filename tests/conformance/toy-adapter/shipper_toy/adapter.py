"""The toy target: SplitsTraffic, Probes, KeysSecrets and StoresImages, on files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shipper.model import (
    Address,
    Change,
    Dossier,
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
    Traits,
)
from shipper.targets import Conflict, Invalid, NotFound, Retired, TargetContext, Transient
from shipper_toy.files import Files, load, write
from shipper_toy.server import answer
from shipper_toy.settings import ToySettings


class ToyTarget:
    """One service in one environment, in one directory."""

    kind = "toy"
    default_platform = "linux/amd64"

    def __init__(self, context: TargetContext, own: ToySettings, traits: Traits) -> None:
        service = context.settings.service
        self.traits = traits
        self._secrets = context.secrets
        self._files = Files(own.root, service.service, service.environment)

    # What is seen.

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        """The platform's server must have been started once."""
        if (self._files.root / "port").exists():
            return ()
        hint = f"python -m shipper_toy.server {self._files.root}"
        return [Problem(code=33, message=f"no toy server ever ran in {self._files.root}", hint=hint)]

    def observe(self) -> Observation:
        """State and revisions, read together."""
        with self._files.locked():
            state, revisions = self._files.state(), tuple(self._shown())
        return Observation(
            seen=str(state["version"]),
            serving=tuple(revision for revision in revisions if revision.weight),
            revisions=revisions,
            stamp=Stamp.model_validate(state["stamp"]),
            highest=max((revision.number or 0 for revision in revisions), default=0),
            address=self._address(),
        )

    def plan(self, release: Release, observation: Observation) -> Plan:
        """One change: who serves."""
        before = observation.main.name if observation.main else "nothing"
        change = Change(action="create", subject=self._name(release), before=before, after=release.main.reference)
        return Plan(summary=f"{before} -> {self._name(release)}", changes=(change,))

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """An image's label says what becomes of it."""
        while True:
            kind = self._held(revision.name)["labels"]["toy.kind"]
            if kind == "crash-loop":
                dossier = Dossier(cause="crashed", reason="exited with status 3", exit_status=3)
                yield Progress(state="failed", reason=dossier.reason, dossier=dossier)
                return
            if kind != "never-ready":
                yield Progress(state="ready")
                return
            yield Progress(state="waiting", reason="answered 503 at its readiness path")
            time.sleep(0.1)

    def revisions(self) -> Sequence[Revision]:
        """Oldest first."""
        with self._files.locked():
            return tuple(self._shown())

    def records(self) -> Sequence[Release]:
        """A revision's file holds its record: both go together."""
        with self._files.locked():
            return [Release.from_record(held["record"]) for held in self._files.revisions().values()]

    def restorable(self, release: Release) -> Restorable:
        """By its revision, else by its image and its secret values."""
        with self._files.locked():
            held = self._files.revisions().get(self._name(release))
            if held is not None and not held["stopped"]:
                return Restorable(warm=True)
            return Restorable(problems=tuple(self._gone(release)))

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """The server would answer the same."""
        held = self._held(revision.name)
        if held["stopped"] or held["labels"]["toy.kind"] == "crash-loop":
            raise Transient(f"{revision.name} does not answer")
        status, body = answer(self._files, held, request.path)
        return ProbeResponse(status=status, headers={}, body=body, revision=revision.name)

    # What is written.

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """A file."""
        name = self._name(release)
        with self._writing(stamp, seen):
            held = self._files.revisions().get(name)
            if held is None:
                if gone := self._gone(release):
                    raise NotFound(gone[0])
                self._keep_secrets(release)
                held = {"record": release.to_record(), "labels": load(self._files.image(release.main.config_digest))}
            write(self._files.revision(name), {**held, "stopped": False})
            return next(revision for revision in self._shown() if revision.name == name)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """Weights are part of the state: one write."""
        with self._writing(stamp, seen) as state:
            held = self._files.revisions()
            if weights and sum(weights.values()) != 100:
                raise Invalid(f"weights sum to {sum(weights.values())}")
            if unfit := [name for name in weights if name not in held or held[name]["stopped"]]:
                raise Invalid(f"not running here: {', '.join(unfit)}")
            state["weights"] = {name: weight for name, weight in weights.items() if weight}

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """A revision costs nothing here: warm is what it is already."""
        with self._writing(stamp, seen) as state:
            if busy := [revision.name for revision in revisions if state["weights"].get(revision.name)]:
                raise Invalid(f"they have traffic: {', '.join(busy)}")
            held = self._files.revisions()
            for name in (revision.name for revision in revisions if revision.name in held):
                if to == "stopped":
                    write(self._files.revision(name), {**held[name], "stopped": True})
                elif to == "removed":
                    self._files.revision(name).unlink()
            self._sweep_secrets()

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The state, with nothing else changed."""
        with self._writing(stamp, seen):
            pass

    def remove(self, stamp: Stamp, seen: str) -> None:
        """The service's directory."""
        with self._writing(stamp, seen) as state:
            state["weights"] = {}
            shutil.rmtree(self._files.home, ignore_errors=True)
        with self._files.locked():
            shutil.rmtree(self._files.home, ignore_errors=True)

    # Secrets and images.

    def secret_key(self) -> bytes | None:
        """A file of the platform's."""
        file = self._files.root / "key"
        return file.read_bytes() if file.exists() else None

    def make_secret_key(self) -> bytes:
        """Made once."""
        with self._files.locked():
            if self.secret_key() is None:
                (self._files.root / "key").write_bytes(os.urandom(16))
        return (self._files.root / "key").read_bytes()

    def has(self, config_digest: str) -> str | None:
        """Its file's name is its digest."""
        return f"toy:{config_digest[7:19]}" if self._files.image(config_digest).exists() else None

    def load(self, archive: Path, sent: Callable[[int], None] | None = None) -> str:
        """Of `docker save`: the configuration, which is what its digest is of."""
        with tarfile.open(archive) as tar:
            name = json.load(tar.extractfile("manifest.json"))[0]["Config"]  # type: ignore[arg-type]
            config = tar.extractfile(name).read()  # type: ignore[union-attr]
        digest = f"sha256:{Path(name).stem}"
        labels = {"toy.kind": "good", "toy.answers": "", **(json.loads(config)["config"].get("Labels") or {})}
        with self._files.locked():
            write(self._files.image(digest), labels)
        return digest

    # Helpers; the lock is held, but in `_held`.

    @contextlib.contextmanager
    def _writing(self, stamp: Stamp, seen: str) -> Iterator[dict[str, Any]]:
        with self._files.locked():
            state = self._files.state()
            if seen != str(state["version"]):
                raise Conflict(f"somebody wrote since: seen {seen}, now {state['version']}")
            if stamp.epoch < state["stamp"].get("epoch", 0):
                raise Conflict(f"epoch {stamp.epoch} is older than {state['stamp']['epoch']}")
            state = {**state, "version": state["version"] + 1, "stamp": stamp.model_dump(mode="json")}
            yield state
            self._files.write_state(state)

    def _shown(self) -> Iterator[Revision]:
        weights = self._files.state()["weights"]
        for name, held in self._files.revisions().items():
            record = Release.from_record(held["record"])
            yield Revision(
                name=name,
                release=record.id,
                number=record.number,
                fingerprint=record.fingerprint,
                state="stopped" if held["stopped"] else "running",
                image=record.main.config_digest,
                created=record.created,
                weight=weights.get(name, 0),
            )

    def _held(self, name: str) -> dict[str, Any]:
        with self._files.locked():
            held = self._files.revisions().get(name)
        if held is None:
            raise NotFound(f"no revision {name}")
        return held

    def _name(self, release: Release) -> str:
        return f"{release.service}-{release.number}-{release.id[-6:].lower()}"

    def _address(self) -> Address | None:
        port = self._files.root / "port"
        host = f"{self._files.service}.{self._files.environment}.localhost"
        return Address(url=f"http://127.0.0.1:{port.read_text()}", host=host) if port.exists() else None

    def _gone(self, release: Release) -> list[str]:
        gone = []
        if not self._files.image(release.main.config_digest).exists():
            gone.append(f"the image {release.main.reference} is gone: release it again from its sources")
        given = self._given(release)
        wanted = release.secret_versions.items()
        lost = [name for name, version in wanted if not (self._files.secrets / f"{name}.{version}").exists()]
        if lost := [name for name in lost if name not in given]:
            gone.append(f"the values of {', '.join(lost)} of then are gone: pass --secrets current")
        return gone

    def _given(self, release: Release) -> dict[str, bytes]:
        if not release.secret_versions:
            return {}
        versions = self._secrets.versions(self.secret_key())
        wanted = release.secret_versions
        return {one.name: one.reveal() for one in self._secrets.run() if versions[one.name] == wanted.get(one.name)}

    def _keep_secrets(self, release: Release) -> None:
        for name, value in self._given(release).items():
            self._files.secrets.mkdir(parents=True, exist_ok=True)
            (self._files.secrets / f"{name}.{release.secret_versions[name]}").write_bytes(value)

    def _sweep_secrets(self) -> None:
        """Values that no record names any more."""
        records = [held["record"]["value"] for held in self._files.revisions().values()]
        named = {f"{name}.{version}" for record in records for name, version in record["secret_versions"].items()}
        for file in self._files.secrets.glob("*"):
            if file.name not in named:
                file.unlink()
