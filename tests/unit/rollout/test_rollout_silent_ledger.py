"""A ledger that stops answering in the middle of a rollout: what is said, and how soon it ends."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shipper.errors import Interrupted, LedgerError, NotPutBack, Overtaken, Transient
from shipper.ledger.log import StoredLedger
from shipper.ledger.protocol import Lease
from shipper.pipeline.cancellation import RunCancellation, interrupted
from shipper.rollout import overtaken
from tests.unit.rollout.world import World, afterwards

pytestmark = pytest.mark.unit


@pytest.fixture
def never_lets_go() -> Iterator[Callable[[], object]]:
    """Calls that hang until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()
    for thread in threading.enumerate():
        if thread.name == "shipper-lease":
            thread.join(10)


class GoesSilent:
    """A ledger that answers until `silent` says how it does not any more; its lease is not believed from then on."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.silent: Callable[[], Any] | None = None
        self.giving_back: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> Any:
        silent = self.silent
        if silent is None or name in ("url", "machine_only"):
            return getattr(self._inner, name)
        return lambda *_, **__: silent()

    @contextlib.contextmanager
    def lease(self, *words: Any, **options: Any) -> Iterator[Lease]:
        with self._inner.lease(*words, **options) as lease:
            try:
                yield _Unrenewed(lease, self)
            finally:
                self.giving_back()


class _Unrenewed:
    def __init__(self, inner: Any, ledger: GoesSilent) -> None:
        self._inner, self._ledger = inner, ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def check(self) -> None:
        if self._ledger.silent is not None:
            raise Overtaken("the lease could not be renewed for 26 s: another run may have taken over")
        self._inner.check()


def refuses() -> Any:
    raise LedgerError("the ledger's store does not answer")


def in_a_canary(world: World) -> GoesSilent:
    """One serves; the next release will be a canary. It may wait as long as the other run may need."""
    world.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": 5})
    world.release("one")
    world.ledger = ledger = GoesSilent(world.ledger)
    return ledger


def test_in_a_canary_a_person_is_needed_because_its_share_of_the_traffic_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overtaken, "OTHER_RUN", 0.0)
    ledger = in_a_canary(world)
    world.cancelled_by().meanwhile = [lambda: setattr(ledger, "silent", refuses)]
    with pytest.raises(NotPutBack, match="what it had brought may still have traffic") as caught:
        world.release("two")
    assert (caught.value.exit_code, caught.value.cause) == (22, "overtaken")
    assert world.serves == {"one": 90, "two": 10}


def test_who_overtook_is_not_waited_for_when_no_time_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch, never_lets_go: Callable[[], object]
) -> None:
    monkeypatch.setattr(overtaken, "OTHER_RUN", 0.0)
    ledger, cancel = in_a_canary(world), world.cancelled_by()

    def hangs() -> Any:
        cancel.remaining = 0.1
        never_lets_go()

    cancel.meanwhile = [lambda: setattr(ledger, "silent", hangs), cancel.interrupt]
    with pytest.raises(NotPutBack) as caught:
        world.release("two")
    assert caught.value.cause == "overtaken"


def test_after_a_signal_the_lease_is_given_back_only_as_long_as_there_is_time(
    world: World, never_lets_go: Callable[[], object]
) -> None:
    """What serves is said before the run is killed; the lease ends by its silence."""
    world.release("one")
    world.ledger = ledger = GoesSilent(world.ledger)
    cancel = world.cancelled_by()

    def hangs() -> None:
        cancel.remaining = 0.1
        never_lets_go()

    ledger.giving_back = hangs
    world.around = afterwards("shift", cancel.interrupt)
    began = time.monotonic()
    with pytest.raises(Interrupted):
        world.release("two")
    assert time.monotonic() - began < 5
    assert world.serves == {"one": 100}


class Slow:
    """A store that answers no request before the test is over, from `hang` on."""

    machine_only = True

    def __init__(self, inner: Any, over: Callable[[], object]) -> None:
        self._inner, self._over, self.hang, self.url = inner, over, False, inner.url

    def __getattr__(self, name: str) -> Any:
        def late(*words: Any, **options: Any) -> Any:
            self._over()
            return getattr(self._inner, name)(*words, **options)

        return late if self.hang else getattr(self._inner, name)


def test_traffic_is_put_back_within_two_seconds_though_ledger_and_platform_are_silent(
    world: World, never_lets_go: Callable[[], object]
) -> None:
    world.release("one")
    inner: Any = world.ledger
    store = Slow(inner._store, never_lets_go)
    world.ledger = StoredLedger(store, inner._keys)
    world.cancel = cancel = RunCancellation()
    shifts: list[float] = []

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "shift":
            shifts.append(time.monotonic())
            if len(shifts) == 1:
                store.hang = True
                cancel.cancel(interrupted(), within=2.6)
                never_lets_go()
                raise Transient("too late")
        return call()

    world.around = around
    with pytest.raises(Interrupted):
        world.release("two")
    assert shifts[1] - shifts[0] < 2
    assert time.monotonic() - shifts[0] < 2.6
