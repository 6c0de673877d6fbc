"""The four commands that write to Cloud Run, and how many writes each makes: to kill, race and silence at every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from tests.e2e import attempts
from tests.e2e.attempts import first, rollback, second
from tests.e2e.cloud.tiny_cloud import TRANSPORTS, CloudPlaces, TinyCloud, Transport
from tests.e2e.tiny_place import canary

To = Literal["platform", "ledger"]
Attempt = attempts.Attempt[TinyCloud]


@dataclass(frozen=True)
class Scenario:
    """A command, and how many writes it makes where nobody disturbs it. `prepare` brings a place to its start."""

    name: str
    prepare: Callable[[CloudPlaces, Transport], Attempt]
    platform: int
    ledger: int

    def writes(self, to: To) -> int:
        return self.platform if to == "platform" else self.ledger


def _first(places: CloudPlaces, transport: Transport) -> Attempt:
    return first(places.fresh(transport))


def _second(places: CloudPlaces, transport: Transport) -> Attempt:
    return second(places.kept(transport))


def _canary(places: CloudPlaces, transport: Transport) -> Attempt:
    return second(places.kept(transport), **canary())


def _rollback(places: CloudPlaces, transport: Transport) -> Attempt:
    return rollback(places.kept(transport))


FIRST = Scenario("first release", _first, platform=2, ledger=14)
SECOND = Scenario("second release", _second, platform=4, ledger=7)
IN_STEPS = Scenario("canary 10-50-100", _canary, platform=6, ledger=7)
ROLLBACK = Scenario("rollback", _rollback, platform=3, ledger=7)
SCENARIOS = (FIRST, SECOND, IN_STEPS, ROLLBACK)


def at_every_write(to: To, *scenarios: Scenario, transports: tuple[Transport, ...] = TRANSPORTS) -> list[object]:
    """(scenario, transport, k) for every write of each."""
    return [
        pytest.param(scenario, transport, k, id=f"{scenario.name}, {transport}, {to} write {k}")
        for scenario in scenarios
        for transport in transports
        for k in range(1, scenario.writes(to) + 1)
    ]
