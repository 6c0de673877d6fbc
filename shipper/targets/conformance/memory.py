"""An imaginary platform for one service: its state, its users, and what a person does to it by hand.

What it gets wrong: nothing takes time (an operation moves on when somebody looks), there is no second machine, and
requests do not overlap. Everything else is meant: a revision runs what its release said, secret values live here by
their versions, and requests are routed by weight exactly, so that a count can be checked to the last one.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shipper.model import (
    HealthSettings,
    ImageRef,
    Release,
    ServiceSettings,
    Settings,
    Stamp,
    TargetSettings,
    Traffic,
)
from shipper.model.context import Secrets
from shipper.model.release import new_release_id
from shipper.targets.conformance.rig import Answer, ImageKind
from shipper.targets.protocol import Target

FOREIGN = "foreign"
"""The revision's name of what somebody else put at our address."""

PAUSE = 0.01
"""Seconds between two steps of a revision's `progress`."""

BUCKETS = (0.1, 1.0, 10.0)
"""Upper bounds of the latency histogram, in seconds."""


@dataclass
class Held:
    """A revision as the platform holds it. `release` is None for what is not ours."""

    name: str
    release: Release | None
    kind: ImageKind
    text: str
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    stopped: bool = False
    created: float = field(default_factory=time.time)

    def answer(self, path: str) -> tuple[int, bytes]:
        """What its service answers (see `rig.ImageKind`)."""
        _, kind, name = [*path.split("/", 2), ""][:3]
        if kind == "healthz":
            return (503, b"not ready") if self.kind == "never-ready" else (200, b"ready")
        if kind == "env":
            value = self.release.settings.run.env.get(name) if self.release else None
            return (404, b"") if value is None else (200, value.encode())
        if kind == "secrets":
            return (200, self.secrets[name]) if name in self.secrets else (404, b"")
        return (500, b"failing") if self.kind == "failing" else (200, self.text.encode())


@dataclass
class Memory:
    """The platform's state for one service: what is there, whoever looks. Every access holds `lock`."""

    service: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    version: int = 0
    stamp: Stamp = field(default_factory=Stamp)
    weights: dict[str, int] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    records: dict[str, Release] = field(default_factory=dict)
    images: dict[str, tuple[ImageKind, str]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], bytes] = field(default_factory=dict)
    key: bytes | None = None
    drifted: str | None = None
    in_flight: str | None = None
    traffic: dict[str, Traffic] = field(default_factory=dict)
    credit: dict[str, int] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def image(self, kind: ImageKind, text: str) -> ImageRef:
        """An image of this place; a missing one has a digest and no bytes."""
        digest = "sha256:" + hashlib.sha256(f"{kind} {text}".encode()).hexdigest()
        if kind != "missing":
            self.images[digest] = (kind, text)
        return ImageRef(config_digest=digest, reference=f"memory/{kind}:{digest[7:19]}", platform="linux/amd64")

    def route(self) -> Held | None:
        """Who answers the next request: by weight, exactly (smooth weighted round-robin, as in nginx)."""
        if not self.weights:
            return None
        for name, weight in self.weights.items():
            self.credit[name] = self.credit.get(name, 0) + weight
        chosen = max(self.weights, key=lambda name: self.credit[name])
        self.credit[chosen] -= 100
        return self.held[chosen]

    def ask(self, path: str) -> Answer:
        """A user's request, counted."""
        with self.lock:
            found = self.route()
            if found is None:
                raise ConnectionRefusedError("nothing serves")
            status, body = found.answer(path)
            self.traffic[found.name] = _counted(self.traffic.get(found.name, Traffic()), status)
            return Answer(status=status, body=body, revision=found.name)

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Route anew."""
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.credit = {}


def _counted(before: Traffic, status: int) -> Traffic:
    return Traffic(
        requests=before.requests + 1,
        errors=before.errors + (status >= 500),
        buckets={bound: before.buckets.get(bound, 0) + 1 for bound in BUCKETS},
    )


def new_service() -> str:
    """A name that no other place has."""
    return f"svc-{new_release_id()[-8:].lower()}"


@dataclass
class MemoryPlace:
    """A place of either target; `connect` says of which one."""

    connect: Callable[[Memory, Secrets], Target]
    memory: Memory

    @property
    def chosen(self) -> TargetSettings:
        """The target's name, kind and settings."""
        return TargetSettings(name="memory", kind="memory")

    def settings(self) -> Settings:
        """Ready at once or never."""
        return Settings(
            service=ServiceSettings(service=self.memory.service, environment="test", root="/"),
            health=HealthSettings(startup=0.3, timeout=1.0),
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        """Sees the same platform, and remembers nothing."""
        return self.connect(self.memory, secrets)

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        """An image of this place."""
        return self.memory.image(kind, text)

    def ask(self, path: str = "/") -> Answer:
        """A user's request."""
        return self.memory.ask(path)

    def command(self, status: int) -> Sequence[str]:
        """All that an image in memory can run."""
        return ("exit", str(status))

    def drift(self) -> None:
        """Somebody limits the memory of what serves."""
        with self.memory.lock:
            self.memory.drifted = max(self.memory.weights, key=lambda name: self.memory.weights[name])
            self.memory.version += 1

    def lose_stamp(self) -> None:
        """The mark is gone, the revisions are not."""
        with self.memory.lock:
            self.memory.stamp = Stamp()
            self.memory.version += 1

    def lose_image(self, image: ImageRef) -> None:
        """Its bytes are gone; what runs goes on running."""
        with self.memory.lock:
            self.memory.images.pop(image.config_digest, None)

    def lose_revision(self, name: str) -> None:
        """Somebody deletes it by hand, its record too."""
        with self.memory.lock:
            found = self.memory.held.pop(name)
            if found.release is not None:
                self.memory.records.pop(found.release.id, None)
            self.memory.version += 1

    def leaks(self) -> Sequence[str]:
        """Revisions without a record, and secret values that no record names."""
        with self.memory.lock:
            memory, records = self.memory, self.memory.records.values()
            ours = [held for held in memory.held.values() if held.release is not None]
            revisions = [held.name for held in ours if held.release and held.release.id not in memory.records]
            named = {version for record in records for version in record.secret_versions.items()}
            values = [f"secret {name} {version}" for name, version in memory.secrets if (name, version) not in named]
            counters = [f"counter of {name}" for name in memory.traffic if name not in memory.held]
            return [*revisions, *values, *counters]

    def close(self) -> None:
        """Memory is given back by itself."""
