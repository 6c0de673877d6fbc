"""SIGKILL before and after every write to Cloud Run and to the ledger: of a first release, the next one, a canary and
a rollback, over gRPC and REST.

Whatever dies where: what served serves on or the new one does already, the next run of the same command finishes the
work, and nothing is left over. Where the writes are is known outside the product: the rig's hands hold the k-th write
before it is carried out (the run dies, the write is dropped or comes late) or after it (the run dies without the
answer), and a proxy before the object store does the same for the ledger. `make test` takes a sample of the points by
the printed seed, `make sweep` takes all; that there are no more points than those is asserted by the sweep.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import get_args

import pytest

from tests.e2e.cloud.scenarios import SCENARIOS, Attempt, Scenario, at_every_write
from tests.e2e.cloud.tiny_cloud import TRANSPORTS, CloudPlaces, Death, Transport
from tests.e2e.killing.trial import PlatformTrial
from tests.e2e.machine import must
from tests.rig.killing import When

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.mark.sample(1)
@pytest.mark.parametrize("death", get_args(Death))
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("platform", *SCENARIOS))
def test_killed_at_a_write_to_the_platform(
    places: CloudPlaces, scenario: Scenario, transport: Transport, k: int, death: Death
) -> None:
    attempt = scenario.prepare(places, transport)
    _judge(attempt, attempt.place.killed_at(k, death, *attempt.words), places, transport)


@pytest.mark.sample(1)
@pytest.mark.parametrize("death", get_args(When))
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("ledger", *SCENARIOS, transports=("grpc",)))
def test_killed_at_a_write_to_the_ledger(
    places: CloudPlaces, scenario: Scenario, transport: Transport, k: int, death: When
) -> None:
    attempt = scenario.prepare(places, transport)
    _judge(attempt, _killed_at_the_ledger(attempt, k, death), places, transport)


def _judge(attempt: Attempt, killed: AbstractContextManager[None], places: CloudPlaces, transport: Transport) -> None:
    trial = PlatformTrial(attempt)
    trial.run(killed)
    if trial.violations:
        places.give_up(transport)
    assert trial.violations == [], "\n".join(trial.violations)


@contextmanager
def _killed_at_the_ledger(attempt: Attempt, k: int, when: When) -> Iterator[None]:
    with attempt.place.points.armed(when, k) as seen:
        first = attempt.place.run(*attempt.words)
    assert seen.killed_at, f"it ended before its write {k}: {first!r}"
    yield


@pytest.mark.sweep
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_there_are_no_other_writes(places: CloudPlaces, scenario: Scenario, transport: Transport) -> None:
    attempt = scenario.prepare(places, transport)
    before = len(attempt.place.writes())
    with attempt.place.points.counted() as seen:
        must(attempt.place.run(*attempt.words))
    made = [f"{write['method']} {','.join(write['mask'])}" for write in attempt.place.writes()[before:]]
    assert len(made) == scenario.platform, made
    told = [write.name for write in seen.writes]
    beats = {name for name in told if "/beats/" in name}  # as many as it takes time
    assert len([name for name in told if name not in beats]) + len(beats) == scenario.ledger, told
