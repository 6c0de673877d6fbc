"""A run's process is killed at each of its writes in turn, before it is made and after it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from shipper.targets.conformance.here import Here, expect, told
from shipper.targets.conformance.rig import Ended, Kill
from shipper.targets.conformance.scenario import scenario
from shipper.targets.conformance.scenarios.strategies import FAST_BAKE
from shipper.targets.protocol import Replaces, SplitsTraffic

MOVING = ("shift", "replace")
"""Writes that move traffic."""

MOST = 60
"""Writes of one run, at most: more would be a run that does not end."""


def points(run: Callable[[Kill], Ended]) -> Iterator[tuple[Kill, Ended]]:
    """A run killed at each of its writes, until one ends by itself."""
    for at, when in itertools.product(range(1, MOST), ("before", "after")):
        kill = Kill("before" if when == "before" else "after", at)
        ended = run(kill)
        if not ended.killed:
            expect(ended, 0)
            return
        yield kill, ended
    raise AssertionError(f"a run makes more than {MOST} writes")


def _users_get(here: Here, earlier: str, later: str) -> None:
    """One of both from then on; by a canary that a dead run has left at its share, the one or the other."""
    if here.settings.rollout.strategy != "canary":
        here.answers_or_comes_to(earlier, later)
        return
    for _ in range(20):
        found = here.place.ask().body.decode()
        assert found in (earlier, later), f"a user got {found!r}"


def killed_everywhere(here: Here, serving: str | None) -> None:
    """Releases of one text after another: what served serves, the next run finishes, nothing is left."""
    texts = (f"text {at}" for at in itertools.count())
    text = [""]

    def run(kill: Kill) -> Ended:
        text[0] = next(texts)
        return here.release(text[0], kill=kill)

    for kill, ended in points(run):
        where = f"killed {kill.when} write {kill.at}: {told(ended)}"
        try:
            if serving is not None:
                _users_get(here, serving, text[0])
            expect(here.release(text[0]), 0)
            here.answers(text[0])
            here.lost_nothing()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{where}") from error
        serving = text[0]
    here.answers(text[0])


@scenario(kills=True, exhaustive=True)
def a_release_killed_at_every_write(here: Here) -> None:
    """What served serves on, or the new release already does; the same release again ends well."""
    expect(here.release("base"), 0)
    killed_everywhere(here, "base")


@scenario(needs=[SplitsTraffic], strategy="canary", kills=True, exhaustive=True)
def a_canary_killed_at_every_write(here: Here) -> None:
    """Users get the old release or the new one, whatever share the dead run left."""
    expect(here.release("base"), 0)
    here.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": FAST_BAKE})
    previous = "base"
    for at in itertools.count(1):
        text = f"text {at}"
        ended = here.release(text, kill=Kill("after", at))
        if not ended.killed:
            expect(ended, 0)
            return
        try:
            _users_get(here, previous, text)
        except AssertionError as error:
            raise AssertionError(f"{error}; {told(ended)}") from error
        expect(here.release(text), 0)
        here.answers(text)
        here.lost_nothing()
        previous = text


@scenario(kills=True, exhaustive=True)
def a_first_release_killed_at_every_write(here: Here) -> None:
    """Nothing serves, or the new release does; the same release again ends well."""
    for kill, ended in points(lambda kill: here.release("one", kill=kill)):
        expect(here.release("one"), 0)
        here.answers("one")
        here.lost_nothing()
        here.removes_everything()
        left = list(here.place.leaks())
        assert left == [], f"left after removal: {left}; {kill} {told(ended)}"
    here.answers("one")


@scenario(kills=True, exhaustive=True)
def a_rollback_killed_at_every_write(here: Here) -> None:
    """What served serves on, or what it goes back to; asked for by its number again, that is where it ends."""
    pair, back_to = ("", ""), ""

    def run(kill: Kill) -> Ended:
        nonlocal pair, back_to
        pair = (f"old {kill.when} {kill.at}", f"new {kill.when} {kill.at}")
        numbers = [expect(here.release(text), 0).number for text in pair]
        back_to = f"#{numbers[0]}"
        return here.rollback(kill=kill)

    for kill, ended in points(run):
        where = f"killed {kill.when} write {kill.at}: {told(ended)}"
        try:
            here.answers_or_comes_to(pair[1], pair[0])
            expect(here.rollback(back_to), 0)
            here.answers(pair[0])
            here.lost_nothing()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{where}") from error
    here.answers(pair[0])


@scenario()
def a_rollback_killed_before_it_told(here: Here) -> None:
    """Its traffic had moved and nothing was recorded: a rollback again ends there too, and goes no further back."""
    for text in ("one", "two", "three"):
        expect(here.release(text), 0)
    first = expect(here.rollback(in_process=True), 0).writes
    here.answers("two")
    expect(here.release("four"), 0)
    at = 1 + max(at for at, write in enumerate(first) if write in MOVING)
    assert here.rollback(in_process=True, kill=Kill("after", at)).killed
    expect(here.rollback(), 0)
    here.answers("two")


def killed_while_starting(here: Here) -> None:
    """Two serves; the run that was to bring three is dead, and three will never be ready."""
    expect(here.release("one"), 0)
    like = expect(here.release("two", in_process=True), 0)
    here.dies_while_starting("three", like)
    here.answers("two")


@scenario()
def killed_while_it_is_not_ready(here: Here) -> None:
    """The next release takes the place of what never became ready."""
    killed_while_starting(here)
    expect(here.release("four"), 0)
    here.answers("four")
    here.lost_nothing()


@scenario(needs=[Replaces])
def a_rollback_of_what_is_not_ready(here: Here) -> None:
    """A rollback ends the operation that is under way; what served all the time is well, and stays."""
    killed_while_starting(here)
    expect(here.rollback(), 0)
    here.answers("two")
    assert here.observe().in_flight is None
    expect(here.release("four"), 0)
    here.answers("four")
