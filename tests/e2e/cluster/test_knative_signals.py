"""SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that, and SIGTERM alone, in the middle of a rollout on Knative.

Asked from outside: exit code, who answers over HTTP, how soon the write came that puts things back, and that the next
run finishes.
"""

from __future__ import annotations

import pytest

from tests.e2e.cluster.interrupting import CODES, interrupted
from tests.e2e.cluster.tiny_knative import TinyKnative
from tests.e2e.killing.signalled import Run, assert_interrupted
from tests.e2e.tiny_place import canary, slow_start

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BAKING = canary("60s")


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", CODES)
def test_while_its_revision_starts(knative_place: TinyKnative, how: str) -> None:
    served, stable, newest = knative_place.served(), knative_place.serves, knative_place.newest
    wanted = knative_place.next_text()
    knative_place.write(wanted, **slow_start(60))
    run = Run(knative_place.start(*knative_place.release_words))
    run.until(lambda: knative_place.newest != newest)
    interrupt(knative_place, run, how)
    assert_next_run_finishes(knative_place, served, stable, wanted)


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", CODES)
def test_in_the_middle_of_a_canary(knative_place: TinyKnative, how: str) -> None:
    served, stable = knative_place.served(), knative_place.serves
    wanted = knative_place.next_text()
    knative_place.write(wanted, **BAKING)
    run = Run(knative_place.start(*knative_place.release_words))
    run.until(lambda: sorted(knative_place.serves.values()) == [10, 90])
    interrupt(knative_place, run, how)
    assert_next_run_finishes(knative_place, served, stable, wanted)


def interrupt(place: TinyKnative, run: Run, how: str) -> None:
    """The write that puts things back comes at once, and the run ends with the signal's code."""
    assert_interrupted(interrupted(place, run, how), CODES[how])


def assert_next_run_finishes(place: TinyKnative, served: str, stable: dict[str, int], wanted: str) -> None:
    """What served serves alone, and what was interrupted goes out when it is released again."""
    assert {place.text() for _ in range(10)} == {served}
    assert place.serves == stable
    assert place.left_over() == []
    again = place.release(wanted)
    assert again.code == 0, again
    assert place.text() == wanted
    assert list(place.serves.values()) == [100]
    assert place.left_over() == []
