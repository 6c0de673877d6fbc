"""SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that, in every phase of a rollout on Cloud Run.

Asked from outside: exit code, who answers over HTTP, and which writes came to the platform after the signal, and when,
by the platform's clock (this machine's).
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.cloud.scenarios import FIRST, ROLLBACK, SECOND, Attempt
from tests.e2e.cloud.tiny_cloud import TRANSPORTS, CloudPlaces, Transport
from tests.e2e.killing.signalled import ISSUED, Run, assert_interrupted, assert_unconfirmed
from tests.e2e.machine import Ended
from tests.e2e.tiny_place import canary, slow_start
from tests.rig.killing import When

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BAKING = canary("60s")
SLOW_START = slow_start(60)


class Interrupted:
    """A command that CI interrupts when something has come, and the writes that the platform saw after the signal."""

    def __init__(self, attempt: Attempt) -> None:
        self.place = attempt.place
        self._before = len(self.place.writes())
        self.run = Run(self.place.start(*attempt.words))

    def after_writes(self, number: int) -> None:
        """Wait until the platform has carried out so many writes of the command."""
        self.run.until(lambda: [write["code"] for write in self._writes].count("OK") >= number)

    def signal(self) -> Ended:
        self._signalled = time.time()
        return self.run.signal()

    @property
    def moved_traffic_after(self) -> list[float]:
        """Seconds from the signal to each write after it whose mask says traffic."""
        after = [write for write in self._writes if write["at"] > self._signalled and "traffic" in write["mask"]]
        return [write["at"] - self._signalled for write in after]

    @property
    def _writes(self) -> list[dict[str, Any]]:
        return self.place.writes()[self._before :]


def assert_put_back(attempt: Attempt, ended: Ended) -> None:
    assert_interrupted(ended)
    assert attempt.place.text() == attempt.served
    assert list(attempt.place.cloud.serves.values()) == [100]
    assert attempt.place.left_over() == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_while_its_revision_starts(places: CloudPlaces, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport).with_settings(**SLOW_START)
    interrupted = Interrupted(attempt)
    interrupted.after_writes(1)
    ended = interrupted.signal()
    assert_put_back(attempt, ended)


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_while_the_first_revision_starts_the_service_goes(places: CloudPlaces, transport: Transport) -> None:
    attempt = FIRST.prepare(places, transport).with_settings(**SLOW_START)
    interrupted = Interrupted(attempt)
    interrupted.after_writes(1)
    ended = interrupted.signal()
    assert_interrupted(ended)
    assert attempt.place.service() is None


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_in_a_canary_putting_back_is_one_write(places: CloudPlaces, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport).with_settings(**BAKING)
    interrupted = Interrupted(attempt)
    interrupted.after_writes(2)
    attempt.place.until(lambda: sorted(attempt.place.cloud.serves.values()) == [10, 90])
    ended = interrupted.signal()
    assert_put_back(attempt, ended)
    (issued,) = interrupted.moved_traffic_after
    assert issued < ISSUED


@pytest.mark.sample(1)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [SECOND, ROLLBACK], ids=lambda scenario: scenario.name)
def test_while_the_write_that_moves_traffic_is_under_way(
    places: CloudPlaces, scenario: Any, transport: Transport, when: When
) -> None:
    """It is left behind: what puts back comes after it, and what is let go too late is refused."""
    attempt = scenario.prepare(places, transport)
    place, moves = attempt.place, scenario.platform - 2
    with place.stopped_at(moves, when, *attempt.words) as process:
        run, held = Run(process), len(place.writes())
        ended = run.signal()
        put_back = [write for write in place.writes()[held:] if "traffic" in write["mask"]]
    place.until(lambda: bool(place.writes()[held - 1]["code"]))
    place.settled()
    assert_put_back(attempt, ended)
    assert len(put_back) == 1, put_back
    assert place.writes()[held - 1]["code"] == ("OK" if when == "after" else "ABORTED")


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_where_a_write_takes_twelve_seconds_it_says_that_it_is_not_confirmed(
    places: CloudPlaces, transport: Transport
) -> None:
    attempt = SECOND.prepare(places, transport).with_settings(**BAKING)
    hands, project = attempt.place.cloud.hands, attempt.place.cloud.project
    interrupted = Interrupted(attempt)
    interrupted.after_writes(2)
    attempt.place.until(lambda: sorted(attempt.place.cloud.serves.values()) == [10, 90])
    hands.slow(project, "UpdateService", 12.0)
    ended = interrupted.signal()
    hands.slow(project, "UpdateService", 0.0)
    assert_unconfirmed(ended)
    attempt.place.until(lambda: attempt.place.text() == attempt.served and len(attempt.place.cloud.serves) == 1)
