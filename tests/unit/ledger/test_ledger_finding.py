"""Finding the end of a log, and a number in it, by few questions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.ledger.finding import last_of
from shipper.ledger.numbers import position_of
from shipper.model import LedgerState

pytestmark = pytest.mark.unit


@given(st.integers(0, 10**6), st.data())
def test_the_last_one_is_found_from_anywhere_before_it_with_few_probes(last: int, data: st.DataObject) -> None:
    known = data.draw(st.integers(0, last))
    probes: list[int] = []

    def exists(number: int) -> bool:
        probes.append(number)
        return number <= last

    assert last_of(exists, known) == last
    assert len(probes) <= 2 * math.log2(last - known + 2) + 1


def test_when_nothing_was_added_one_probe_is_enough() -> None:
    probes: list[int] = []

    def exists(number: int) -> bool:
        probes.append(number)
        return number <= 41

    assert last_of(exists, 41) == 41
    assert probes == [42]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=60), st.integers(0, 200))
def test_a_number_is_found_exactly_when_some_entry_claimed_it(shape: list[tuple[int, int]], wanted: int) -> None:
    log: list[int | None] = []
    for step, others in shape:
        claimed = max((number for number in log if number is not None), default=0) + step
        log += [claimed, *[None] * others]
    state = LedgerState(position=len(log), highest=max((number for number in log if number is not None), default=0))
    position = position_of(wanted, state, lambda at: log[at - 1])
    assert position == (log.index(wanted) + 1 if wanted in log else None)


def test_among_a_hundred_thousand_like_releases_two_or_three_entries_are_read() -> None:
    reads: list[int] = []

    def number_at(position: int) -> int | None:
        reads.append(position)
        return (position + 1) // 2 if position % 2 else None

    state = LedgerState(position=200_000, highest=100_000)
    for number in (1, 17, 50_000, 99_999):
        reads.clear()
        assert position_of(number, state, number_at) == 2 * number - 1
        assert len(reads) <= 3
