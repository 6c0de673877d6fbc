"""How traffic gets from old to new."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.rig import Answer
from shipper.targets.conformance.scenario import scenario
from shipper.targets.protocol import SplitsTraffic

FAST_BAKE = 0.1
"""Seconds."""


def shifts_of(here: Here) -> tuple[list[dict[str, int]], Callable[[str, Callable[[], Any]], Any]]:
    """What is routed after each shift of a run, as somebody else reads it back; the second goes in as `around`."""
    seen: list[dict[str, int]] = []

    def around(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        if name == "shift":
            seen.append(here.serves())
        return result

    return seen, around


@scenario(needs=[SplitsTraffic], strategy="all-at-once")
def all_at_once(here: Here) -> None:
    """One shift moves all of the traffic."""
    expect(here.release("one"), 0)
    here.sets(rollout={"strategy": "all-at-once"})
    seen, around = shifts_of(here)
    new = expect(here.release("two", around=around), 0).done
    assert seen == [{new.revision: 100}]
    here.answers("two")


@scenario(needs=[SplitsTraffic], strategy="blue-green")
def blue_green(here: Here) -> None:
    """One shift, and the old revision is ready to take over while the new one is baked."""
    old = expect(here.release("one"), 0).done
    here.sets(rollout={"strategy": "blue-green", "bake": FAST_BAKE})
    beside: list[str] = []

    def around(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        if name == "shift":
            beside.extend(found.name for found in here.observe().revisions if found.state == "running")
        return result

    expect(here.release("two", around=around), 0)
    assert old.revision in beside
    here.answers("two")


@scenario(needs=[SplitsTraffic], strategy="canary")
def canary(here: Here) -> None:
    """The new revision gets the shares that were asked for, rounded up to the platform's step, and then everything."""
    old = expect(here.release("one"), 0).done
    here.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": FAST_BAKE})
    seen, around = shifts_of(here)
    new = expect(here.release("two", around=around), 0).done
    step = here.target().traits.weight_step or 100
    shares = dict.fromkeys(math.ceil(share / step) * step for share in (10, 50))
    expected = [{new.revision: share, old.revision: 100 - share} for share in shares if share < 100]
    assert seen == [*expected, {new.revision: 100}]
    here.answers("two")
    here.lost_nothing()


@scenario(needs=[SplitsTraffic], strategy="canary")
def a_first_release_as_canary(here: Here) -> None:
    """Where nothing serves there is nothing to compare with: all of the traffic at once."""
    here.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": FAST_BAKE})
    expect(here.release("one"), 0)
    here.answers("one")


@scenario(needs=[SplitsTraffic], strategy="recreate")
def recreate(here: Here) -> None:
    """The old revision is stopped before the new one is made, and the new one serves in the end."""
    expect(here.release("one"), 0)
    here.sets(rollout={"strategy": "recreate"})
    running: list[str] = []

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "create":
            running.extend(found.name for found in here.observe().revisions if found.state == "running")
        return call()

    expect(here.release("two", around=around), 0)
    assert running == [], "the old revision still ran when the new one was made"
    here.answers("two")


@scenario(needs=[SplitsTraffic], strategy="recreate")
def recreate_that_fails(here: Here) -> None:
    """When the new revision does not become ready, the old one is started again and serves."""
    expect(here.release("one"), 0)
    here.sets(rollout={"strategy": "recreate"}, health={"startup": 2.0})
    expect(here.release("two", "never-ready"), 20, 21)
    here.answers("one")
    here.lost_nothing()


@scenario(strategy="rolling")
def rolling(here: Here) -> None:
    """The platform replaces what serves, and users get the new release at the end."""
    expect(here.release("one"), 0)
    here.sets(rollout={"strategy": "rolling"})
    new = expect(here.release("two"), 0).done
    assert here.serves() == {new.revision: 100}
    here.answers("two")


ENOUGH = 50
"""Requests of users, while releases and rollbacks go by."""


def no_request_fails(here: Here) -> None:
    """Users ask while releases and rollbacks go by: each of their requests is answered by what served or serves."""
    expect(here.release("one"), 0)
    texts = {b"one"}
    with here.users() as got:
        while len(got) < ENOUGH:
            texts.add(f"two {len(texts)}".encode())
            expect(here.release(f"two {len(texts) - 1}"), 0)
            expect(here.rollback(), 0)
    failed = [answer for answer in got if answer is None or answer.status != 200]
    assert failed == [], f"{len(failed)} of {len(got)} requests failed: {failed[0]}"
    assert {answer.body for answer in got if answer} <= texts


@scenario()
def no_request_fails_in_a_release(here: Here) -> None:
    """As the target does it by itself."""
    no_request_fails(here)


@scenario(needs=[SplitsTraffic], strategy="canary")
def no_request_fails_in_a_canary(here: Here) -> None:
    """While two revisions share the traffic."""
    here.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": FAST_BAKE})
    no_request_fails(here)


@scenario(needs=[SplitsTraffic], strategy="blue-green")
def no_request_fails_in_a_blue_green(here: Here) -> None:
    """And while both are there."""
    here.sets(rollout={"strategy": "blue-green", "bake": FAST_BAKE})
    no_request_fails(here)


@scenario()
def a_slow_request_is_finished(here: Here) -> None:
    """What was asked of the old revision is answered by it, although it is removed after the shift."""
    here.sets(rollback={"keep": "none"})
    expect(here.release("one"), 0)
    got: list[Answer] = []
    user = threading.Thread(target=lambda: got.append(here.place.ask("/slow/2")))
    user.start()
    expect(here.release("two"), 0)
    user.join()
    (answer,) = got
    assert answer.status == 200, f"a request of two seconds was cut off: {answer}"
    assert answer.body in (b"one", b"two")
    here.answers("two")
