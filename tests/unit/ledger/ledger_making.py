"""Releases, facts and stores for the ledger's tests. No time passes in them but what a test lets pass."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shipper.ledger.fold import fold
from shipper.ledger.keys import Keys
from shipper.ledger.lease import Leases
from shipper.ledger.log import StoredLedger
from shipper.ledger.patience import Patience
from shipper.ledger.store import Doubtful
from shipper.model import (
    Entry,
    Fact,
    Finished,
    Holder,
    ImageRef,
    LedgerState,
    Release,
    ServiceSettings,
    Settings,
    Started,
)

KEYS = Keys("iris", "production", "cloudrun")
DIGEST = "sha256:" + "ab" * 32


def holder(run: str = "run-1", purpose: str = "release", **more: object) -> Holder:
    """Alice, releasing from her laptop."""
    known = {"who": "alice@laptop", "machine": "laptop", "pid": 4242, "since": 1000.0}
    return Holder.model_validate({"run": run, "purpose": purpose, **known, **more})


def release(number: int, service: str = "iris") -> Release:
    """Number N of a service that is nothing but an image."""
    return Release(
        id=f"{number:026d}",
        number=number,
        fingerprint=f"sha256:{number:064x}",
        images={"main": ImageRef(config_digest=DIGEST, reference="registry/iris@x", platform="linux/amd64")},
        settings=Settings(service=ServiceSettings(service=service, environment="production", root="/home/alice/iris")),
        target="cloudrun",
        created=float(number),
    )


def started(number: int, run: str = "run-1") -> Started:
    """Number N begins."""
    return Started(release=release(number), by=holder(run))


def verified(number: int, **more: object) -> Finished:
    """Number N serves, and was verified."""
    return Finished.model_validate({"number": number, "outcome": "verified", **more})


def folded(facts: Iterable[Fact | tuple[Fact, str, int]]) -> LedgerState:
    """The state after these facts, each written a second after the one before; with run and epoch where they matter."""
    state = LedgerState()
    for position, given in enumerate(facts, 1):
        fact, run, epoch = given if isinstance(given, tuple) else (given, "run-1", 1)
        state = fold(state, entry(position, fact, run=run, epoch=epoch))
    return state


def entry(position: int, fact: Fact, *, run: str = "run-1", epoch: int = 1, nonce: str = "n") -> Entry:
    """Entry N, written N seconds after the beginning."""
    return Entry(position=position, nonce=nonce, at=float(position), epoch=epoch, run=run, fact=fact)


@dataclass
class FakeClock:
    """Implements Clock: goes on when somebody sleeps. `passing` is called after each sleep: others at work."""

    time: float = 0.0
    wall: float = 1_000_000.0
    passing: list[Callable[[], None]] = field(default_factory=list)

    def now(self) -> float:
        return self.wall + self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for each in tuple(self.passing):
            each()


@dataclass
class DictStore:
    """Implements Store in memory, and counts. `before` and `after` a write may raise what they like."""

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: collections.Counter[str] = field(default_factory=collections.Counter)
    before: list[Callable[[str, str], None]] = field(default_factory=list)
    after: list[Callable[[str, str], None]] = field(default_factory=list)
    url: str = "memory://test"
    machine_only: bool = True

    def get(self, key: str, *, large: bool = False) -> bytes | None:
        self._say(self.before, "get", key)
        return self.objects.get(key)

    def create(self, key: str, body: bytes) -> bool:
        self._say(self.before, "create", key)
        there = key in self.objects
        self.objects.setdefault(key, body)
        self._say(self.after, "create", key)
        return not there

    def put(self, key: str, body: bytes) -> None:
        self._say(self.before, "put", key)
        self.objects[key] = body
        self._say(self.after, "put", key)

    def _say(self, to: list[Callable[[str, str], None]], verb: str, key: str) -> None:
        if to is self.before:
            self.asked[verb] += 1
        for each in tuple(to):
            each(verb, key)


def doubt(times: int, verb: str, part: str) -> Callable[[str, str], None]:
    """Answers nothing to the next `times` requests of this kind whose key has `part` in it."""
    left = [times]

    def failing(asked: str, key: str) -> None:
        if asked == verb and part in key and left[0] > 0:
            left[0] -= 1
            raise Doubtful("the store does not answer")

    return failing


def log_on(store: DictStore, clock: FakeClock | None = None) -> StoredLedger:
    """A log that takes no real time."""
    clock = clock or FakeClock()
    return StoredLedger(store, KEYS, clock=clock, patience=Patience(monotonic=clock.monotonic, sleep=clock.sleep))


def leases_on(store: DictStore, clock: FakeClock, life: str = "unknown") -> Leases:
    """Leases whose holders beat when a test says so."""
    patience = Patience(monotonic=clock.monotonic, sleep=clock.sleep)
    return Leases(
        store,
        KEYS,
        clock,
        patience,
        sleep=clock.sleep,
        life=lambda _: life,  # type: ignore[arg-type,return-value]
        background=False,
    )


def write(log: StoredLedger, count: int) -> None:
    """So many releases, each begun and verified."""
    for _ in range(count):
        log.append(lambda state: started(state.highest + 1), run="run-1", epoch=1)
        log.append(lambda state: verified(state.highest), run="run-1", epoch=1)


@functools.cache
def _objects(count: int) -> dict[str, bytes]:
    store = DictStore()
    write(log_on(store), count)
    return store.objects


def store_with(count: int) -> DictStore:
    """A store of its own with a log of so many verified releases."""
    return DictStore(dict(_objects(count)))
