"""When waiting for a candidate is given up before its budget is spent, and when it is not."""

from __future__ import annotations

import pytest

from shipper.smoke.patience import Look, is_hopeless
from shipper.targets.diagnosis import Listener

pytestmark = pytest.mark.unit

NOBODY: frozenset[int] = frozenset()
ELSEWHERE = (("0.0.0.0", 5000),)
LOOPBACK = (("127.0.0.1", 8080),)


def looks(listeners: tuple[Listener, ...] | None, *, until: float, cpu_per_second: float = 0.0) -> list[Look]:
    return [Look(at, listeners, at * cpu_per_second) for at in range(int(until) + 1)]


def test_the_right_port_on_loopback_is_given_up_once_it_stays_so() -> None:
    assert not is_hopeless(looks(LOOPBACK, until=0), 8080, NOBODY)
    assert is_hopeless(looks(LOOPBACK, until=1), 8080, NOBODY)


def test_the_right_port_on_a_reachable_address_is_waited_for() -> None:
    assert not is_hopeless(looks((*LOOPBACK, ("0.0.0.0", 8080)), until=60), 8080, frozenset({8080}))


def test_a_server_that_says_it_is_up_on_another_port_and_rests_is_given_up() -> None:
    assert is_hopeless(looks(ELSEWHERE, until=3), 8080, frozenset({5000}))


def test_another_port_alone_proves_nothing() -> None:
    assert not is_hopeless(looks(ELSEWHERE, until=60), 8080, NOBODY)


def test_a_service_that_still_works_is_waited_for() -> None:
    assert not is_hopeless(looks(ELSEWHERE, until=60, cpu_per_second=0.9), 8080, frozenset({5000}))


def test_sockets_that_just_changed_are_waited_for() -> None:
    seen = [*looks((), until=10), Look(11, ELSEWHERE, 0.0)]
    assert not is_hopeless(seen, 8080, frozenset({5000}))


def test_nothing_listening_or_nothing_seen_is_waited_for() -> None:
    assert not is_hopeless([], 8080, NOBODY)
    assert not is_hopeless(looks((), until=60), 8080, frozenset({5000}))
    assert not is_hopeless(looks(None, until=60), 8080, frozenset({5000}))


def test_unknown_work_counts_as_work() -> None:
    unknown = [Look(at, ELSEWHERE, None) for at in range(10)]
    assert not is_hopeless(unknown, 8080, frozenset({5000}))
