"""Releases that do not go well: what served before serves on, and the exit code says which it was."""

from __future__ import annotations

import time

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.scenario import scenario
from shipper.targets.conformance.scenarios.strategies import FAST_BAKE
from shipper.targets.protocol import Measures, SplitsTraffic

PATIENT = 60.0
"""Seconds of a start-up budget that no crash loop may use up."""


@scenario()
def never_ready(here: Here) -> None:
    """A revision that does not become ready in its time gets no traffic, and nothing of it stays."""
    expect(here.release("one"), 0)
    here.sets(health={"startup": 2.0})
    ended = expect(here.release("two", "never-ready"), 20)
    assert "ready" in ended.message
    here.answers("one")
    left = [found for found in here.observe().revisions if found.number != 1]
    assert not left or here.target().traits.keeps_revisions, f"{left} is left"
    here.lost_nothing()


@scenario()
def crash_loop(here: Here) -> None:
    """A revision that crashes is given up at once, whatever its budget, with the reason."""
    expect(here.release("one"), 0)
    here.sets(health={"startup": PATIENT})
    started = time.monotonic()
    ended = expect(here.release("two", "crash-loop"), 20)
    assert time.monotonic() - started < PATIENT / 2, "it waited for what can never heal"
    assert ended.cause == "crashed", f"the cause is {ended.cause!r}"
    here.answers("one")
    here.lost_nothing()


@scenario()
def missing_image(here: Here) -> None:
    """An image that is not there is refused before traffic moves."""
    expect(here.release("one"), 0)
    expect(here.release("two", "missing"), 20)
    here.answers("one")
    here.lost_nothing()


@scenario()
def a_first_release_that_fails(here: Here) -> None:
    """Where nothing served, nothing serves afterwards; the next release is like a first one."""
    here.sets(health={"startup": 2.0})
    moves_at_once = here.target().traits.first_create_serves
    expect(here.release("one", "never-ready"), 20, *([21] if moves_at_once else []))
    here.answers_nothing()
    assert here.observe().serving == ()
    here.settings = here.place.settings()
    expect(here.release("one"), 0)
    here.answers("one")
    here.lost_nothing()


@scenario()
def five_failures_in_a_row(here: Here) -> None:
    """Failures use up numbers and nothing else."""
    expect(here.release("one"), 0)
    for at in range(5):
        expect(here.release(f"bad {at}", "crash-loop"), 20)
    here.answers("one")
    done = expect(here.release("two"), 0).done
    assert done.number == 7
    here.answers("two")
    here.lost_nothing()


@scenario()
def wrong_answers(here: Here) -> None:
    """A release that is ready and answers its golden request wrongly does not serve."""
    expect(here.release("one"), 0)
    here.sets(smoke={"requests": [{"name": "text", "path": "/", "expect": {"contains": "one"}}]})
    expect(here.release("two"), 20, 21)
    here.answers("one")
    here.lost_nothing()


@scenario(needs=[SplitsTraffic], strategy="blue-green")
def put_back_at_a_failing_gate(here: Here) -> None:
    """Traffic has moved; a gate says no; the old revision has it again."""
    expect(here.release("one"), 0)
    here.sets(rollout={"strategy": "blue-green", "bake": FAST_BAKE, "gate": {"command": ["false"]}})
    ended = expect(here.release("two"), 21)
    assert ended.cause == "gate", f"the cause is {ended.cause!r}"
    here.answers("one")
    here.lost_nothing()


@scenario(needs=[SplitsTraffic], strategy="canary")
def put_back_in_a_canary(here: Here) -> None:
    """A gate says no at the first step: all of the traffic is with the old revision again."""
    old = expect(here.release("one"), 0).done
    here.sets(
        rollout={"strategy": "canary", "steps": [20, 50], "bake": FAST_BAKE, "gate": {"command": ["false"]}},
    )
    ended = expect(here.release("two"), 21)
    assert ended.cause == "gate", f"the cause is {ended.cause!r}"
    assert here.serves() == {old.revision: 100}
    here.answers("one")
    here.lost_nothing()


@scenario(needs=[SplitsTraffic, Measures], strategy="blue-green")
def put_back_for_its_errors(here: Here) -> None:
    """The new revision is ready, and fails its users: the platform's own counts say so, and it is put back."""
    expect(here.release("one"), 0)
    here.sets(rollout={"strategy": "blue-green", "bake": 20.0, "gate": {"min_requests": 10, "error_rate": 0.05}})
    with here.users():
        ended = expect(here.release("two", "failing"), 21)
    assert ended.cause == "gate", f"the cause is {ended.cause!r}"
    here.answers("one")
    here.lost_nothing()
