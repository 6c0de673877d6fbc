"""Other writers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from shipper.targets.conformance.here import CODES, Here, changed, expect, told
from shipper.targets.conformance.rig import Ended
from shipper.targets.conformance.scenario import scenario
from shipper.targets.conformance.watched import WRITES, Around
from shipper.targets.protocol import SplitsTraffic


def before_write(at: int, act: Callable[[], None]) -> tuple[Around, list[str]]:
    """For `around`: `act` just before write number `at` (from 1); the list names the writes."""
    writes: list[str] = []

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name in WRITES:
            writes.append(name)
            if len(writes) == at:
                act()
        return call()

    return around, writes


@scenario(trait="conditional_writes", exhaustive=True)
def somebody_writes_before_each_write(here: Here) -> None:
    """Another write comes between our looking and our writing: we look again, and the release ends well."""
    expect(here.release("base"), 0)
    for at in range(1, 60):
        around, writes = before_write(at, here.writes_meanwhile)
        expect(here.release(f"release {at}", around=around), 0)
        here.answers(f"release {at}")
        here.lost_nothing()
        if len(writes) < at:
            return
        assert writes[at - 1] in writes[at:], f"the conflicting {writes[at - 1]} was not decided again: {writes}"
    raise AssertionError("a release makes more than 60 writes")


@scenario(needs=[SplitsTraffic], trait="conditional_writes", exhaustive=True)
def somebody_moves_traffic_before_each_write(here: Here) -> None:
    """Somebody moves all traffic to another revision between our looking and our writing: that is not overwritten."""
    for at in range(1, 60):
        other = expect(here.release(f"other {at}"), 0).done
        expect(here.release(f"serving {at}"), 0)

        def moves(name: str = other.revision) -> None:
            target = here.target()
            assert isinstance(target, SplitsTraffic)
            now = target.observe()
            target.shift({name: 100}, now.stamp, now.seen)

        around, writes = before_write(at, moves)
        ended = here.release(f"ours {at}", around=around)
        assert ended.code in CODES, told(ended)
        if len(writes) < at:
            here.answers(f"ours {at}")
            return
        assert here.serves() == {other.revision: 100}, f"overwritten after {writes}: {here.serves()}; {told(ended)}"
        here.answers(f"other {at}")
    raise AssertionError("a release makes more than 60 writes")


def at_once(first: Callable[[], Ended], second: Callable[[], Ended]) -> tuple[Ended, Ended]:
    """Two runs beside each other. What either of them raises is raised here."""
    ended: dict[int, Ended | BaseException] = {}

    def runs(at: int, run: Callable[[], Ended]) -> None:
        try:
            ended[at] = run()
        except BaseException as error:  # noqa: BLE001 - it is raised in the scenario's own thread
            ended[at] = error

    threads = [threading.Thread(target=runs, args=pair) for pair in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in ended.values():
        if isinstance(result, BaseException):
            raise result
    left, right = ended[0], ended[1]
    assert isinstance(left, Ended)
    assert isinstance(right, Ended)
    return left, right


@scenario()
def two_releases_at_once(here: Here) -> None:
    """One of them serves; the other one is refused, or came after it."""
    expect(here.release("base"), 0)
    ended = at_once(lambda: here.release("left"), lambda: here.release("right"))
    codes = sorted(one.code for one in ended)
    assert codes in ([0, 0], [0, 30]), "\n".join(map(told, ended))
    won = [text for text, one in zip(("left", "right"), ended, strict=True) if one.code == 0]
    here.answers_one_of(*won)
    here.lost_nothing()


@scenario()
def two_releases_at_once_that_wait(here: Here) -> None:
    """With `--wait` both serve, one after the other, under two numbers."""
    ended = at_once(lambda: here.release("left", wait=60.0), lambda: here.release("right", wait=60.0))
    left, right = (expect(one, 0).done for one in ended)
    assert sorted([left.number, right.number]) == [1, 2]
    here.answers("left" if left.number == 2 else "right")
    here.lost_nothing()


@scenario(needs=[SplitsTraffic], strategy="canary")
def a_rollback_in_the_middle_of_a_living_canary(here: Here) -> None:
    """A rollback does not wait for a release: it takes its place, and the release stops writing and says so."""
    expect(here.release("one"), 0)
    old = expect(here.release("two"), 0).done
    shared, released = threading.Event(), here.settings
    canary = changed(released, rollout={"strategy": "canary", "steps": [10, 50], "bake": 30.0})

    def around(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        if name == "shift":
            shared.set()
        return result

    def releases() -> Ended:
        here.settings = canary
        return here.release("three", around=around)

    def rolls_back() -> Ended:
        assert shared.wait(60), "the canary never had traffic"
        return here.rollback()

    release, rollback = at_once(releases, rolls_back)
    expect(rollback, 0)
    expect(release, 20, 21)
    assert release.cause == "overtaken", told(release)
    assert here.serves() == {old.revision: 100}
    here.answers("two")
    here.settings = released
    expect(here.release("four"), 0)
    here.answers("four")
    here.lost_nothing()
