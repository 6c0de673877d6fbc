"""A place, its ledger, a clock and a cancellation, and the words that the rollout's tests are told in.

The targets are the conformance suite's own in-memory ones. Time passes only where somebody waits, and a little with
each look at the clock.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shipper.errors import Interrupted, LedgerError, ShipperError
from shipper.ledger.opening import open_ledger
from shipper.ledger.protocol import Ledger
from shipper.model import (
    Deployable,
    Deployment,
    Event,
    GateJudged,
    Holder,
    LedgerState,
    Observation,
    Order,
    Settings,
    TrafficShifted,
    Traits,
    Wanted,
    new_release_id,
)
from shipper.rollout.known import Known, known
from shipper.rollout.roll_out import roll_out
from shipper.stages.select import select
from shipper.targets.conformance.memory import Memory, MemoryPlace
from shipper.targets.conformance.memory_replaces import ReplacingRig
from shipper.targets.conformance.memory_splits import TRAITS, SplittingRig
from shipper.targets.conformance.rig import ImageKind
from shipper.targets.conformance.values import Values
from shipper.targets.conformance.watched import watched

_names = itertools.count(1)


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.remarks: list[str] = []
        self.texts: list[str] = []
        self.lines: list[str] = []

    def progress(self, text: str, *_: Any, **__: Any) -> None:
        self.texts.append(text)

    def log(self, line: str, stream: str = "stdout") -> None:
        self.lines.append(line)

    def evidence(self, evidence: Any) -> None: ...

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    @property
    def weights(self) -> list[dict[str, int]]:
        return [event.weights for event in self.events if isinstance(event, TrafficShifted)]

    @property
    def gates(self) -> list[GateJudged]:
        return [event for event in self.events if isinstance(event, GateJudged)]


@dataclass
class FakeClock:
    """Unix seconds and seconds since then: a look takes 10 ms."""

    time: float = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        self.time += 0.01
        return self.time


@dataclass
class Cancel:
    """Waiting lets the clock go on. `meanwhile` is done by somebody else while this run waits, first thing first."""

    clock: FakeClock
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    each_wait: Callable[[], object] | None = None
    error: ShipperError | None = None
    remaining: float | None = None

    @property
    def cancelled(self) -> bool:
        return self.error is not None

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def wait(self, seconds: float) -> bool:
        self.clock.time += seconds
        if self.each_wait is not None:
            self.each_wait()
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return self.cancelled

    def interrupt(self, remaining: float = 9.0) -> None:
        self.error, self.remaining = Interrupted("interrupted"), remaining

    @contextlib.contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        if self.cancelled:
            callback()
        yield


class Unreachable:
    """A ledger whose store does not answer; `after` so many calls, when that is given."""

    def __init__(self, inner: Ledger, after: int = 0) -> None:
        self._inner, self._left = inner, after

    def __getattr__(self, name: str) -> Any:
        if name in ("url", "machine_only"):
            return getattr(self._inner, name)
        if self._left <= 0:
            return self._refuse
        self._left -= 1
        return getattr(self._inner, name)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise LedgerError("the ledger's store does not answer", hint="later")


@dataclass
class World:
    """One service at one place."""

    place: MemoryPlace
    settings: Settings
    ledger: Any
    clock: FakeClock = field(default_factory=FakeClock)
    around: Callable[[str, Callable[[], Any]], Any] | None = None
    told: Told = field(default_factory=Told)
    cancel: Any = None
    calls: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    # What is done.

    def release(self, text: str, kind: ImageKind = "good", **options: Any) -> Deployment:
        deployable = Deployable(
            images={"main": self.place.image(kind, text)},
            settings=self.settings,
            published=False,
            commit=options.pop("commit", None),
            commit_time=options.pop("commit_time", None),
            dirty=options.pop("dirty", False),
            started_in=options.pop("started_in", None),
        )
        return self.roll_out(deployable, "release", **options)

    def rollback(self, to: str | None = None, **options: Any) -> Deployment:
        wanted = Wanted(to=to, quarantine_image=options.pop("quarantine_image", False))
        deployable = select(wanted, self.settings, self.target(), self.ledger, Told(), self.clock)
        return self.roll_out(deployable, "rollback", **options)

    def roll_out(self, deployable: Deployable, purpose: Any, **options: Any) -> Deployment:
        self.told, self.calls = Told(), []
        self.cancel = self.cancel or Cancel(self.clock)
        try:
            return roll_out(
                deployable,
                Order(by=holder(purpose, self.clock.now()), **options),
                self.place.chosen,
                self.target(),
                self.ledger,
                Values(self.secrets),
                self.told,
                self.cancel,
                self.clock,
            )
        finally:
            self.cancel, self.around = None, None
            self.clock.time += 60

    def cancelled_by(self) -> Cancel:
        """The next run's cancellation."""
        self.cancel = found = Cancel(self.clock)
        return found

    def sets(self, **sections: Mapping[str, Any]) -> None:
        found = self.settings.model_dump(mode="json")
        for name, values in sections.items():
            found[name] = {**found[name], **values}
        self.settings = Settings.model_validate(found)

    def target(self) -> Any:
        return watched(self.place.target(self.settings, Values(self.secrets)), self._through)

    def _through(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls.append(name)
        return call() if self.around is None else self.around(name, call)

    # What is found.

    @property
    def memory(self) -> Memory:
        return self.place.memory

    @property
    def serves(self) -> dict[str, int]:
        """Text to percent."""
        return {self.memory.held[name].text: weight for name, weight in self.memory.weights.items()}

    @property
    def there(self) -> list[str]:
        """The texts of all revisions, oldest first; a stopped one in brackets."""
        return [f"({held.text})" if held.stopped else held.text for held in self.memory.held.values()]

    @property
    def state(self) -> LedgerState:
        state = self.ledger.state()
        assert isinstance(state, LedgerState)
        return state

    @property
    def outcomes(self) -> list[str]:
        return [line.outcome for line in self.state.releases]

    @property
    def observation(self) -> Observation:
        found = self.target().observe()
        assert isinstance(found, Observation)
        return found

    @property
    def known(self) -> Known:
        return known(self.target(), self.ledger, Told())

    def name(self, number: int) -> str:
        return f"{self.memory.service}-{number}"


def splitting_world(traits: Traits = TRAITS) -> World:
    return _world(SplittingRig(traits=traits).fresh("web"))


def replacing_world() -> World:
    return _world(ReplacingRig().fresh("web"))


def new_ledger() -> Ledger:
    """An empty one."""
    return open_ledger(f"memory://rollout-{next(_names)}", service="web", environment="test", target="t", environ={})


def _world(place: MemoryPlace) -> World:
    world = World(place=place, settings=place.settings(), ledger=new_ledger())
    world.sets(rollout={"bake": 10, "gate": {"error_rate": None}})
    return world


def holder(purpose: Any, now: float, who: str = "ada@laptop") -> Holder:
    return Holder(run=new_release_id(), purpose=purpose, who=who, machine="laptop", pid=1, since=now)


def failing(name: str, *errors: Exception) -> Callable[[str, Callable[[], Any]], Any]:
    """Calls of this name raise these errors, one after the other, then work."""
    left = list(errors)

    def around(called: str, call: Callable[[], Any]) -> Any:
        if called == name and left:
            raise left.pop(0)
        return call()

    return around


def afterwards(name: str, action: Callable[[], object], at: int = 1) -> Callable[[str, Callable[[], Any]], Any]:
    """Somebody does `action` right after the at-th call of this name."""
    counted = itertools.count(1)

    def around(called: str, call: Callable[[], Any]) -> Any:
        result = call()
        if called == name and next(counted) == at:
            action()
        return result

    return around
