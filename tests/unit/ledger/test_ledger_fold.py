"""What a log means."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.ledger.fold import NEWEST, NUMBERS, QUARANTINED, VERIFIED, fold
from shipper.ledger.history import backwards
from shipper.model import Adopted, Entry, Fact, Finished, LedgerState, Recorded, Removed
from shipper.model.ledger import Unknown
from tests.unit.ledger.ledger_making import entry, folded, holder, started, verified

pytestmark = pytest.mark.unit


def line(state: LedgerState, number: int) -> Recorded:
    return next(each for each in state.releases if each.number == number)


def test_a_release_that_was_begun_claims_its_number_and_serves_nothing_yet() -> None:
    state = folded([started(41)])
    assert (state.position, state.highest, state.serving) == (1, 41, None)
    assert line(state, 41).outcome == "started"


def test_a_verified_release_serves_and_ends_the_time_of_the_one_before() -> None:
    state = folded([started(41), verified(41), started(42), verified(42)])
    assert (state.serving, state.verified) == (42, (41, 42))
    assert line(state, 41).until == 4.0
    assert line(state, 42).until is None


def test_a_release_that_was_put_back_never_took_the_place_of_the_one_before() -> None:
    bad = Finished(number=42, outcome="put-back", serves=41, quarantine=("badbadbadbad",))
    state = folded([started(41), verified(41), started(42), bad])
    assert (state.serving, state.verified, state.quarantined) == (41, (41,), ("badbadbadbad",))
    assert line(state, 41).until is None


def test_the_last_word_about_a_release_counts() -> None:
    state = folded([started(41), Finished(number=41, outcome="interrupted"), verified(41, serves=41)])
    assert line(state, 41).outcome == "verified"
    state = folded([started(41), verified(41), Finished(number=41, outcome="not-put-back")])
    assert line(state, 41).outcome == "not-put-back"
    assert state.verified == ()


def test_an_unfinished_release_is_abandoned_once_another_run_begins_under_a_newer_lease() -> None:
    assert line(folded([(started(41), "dead", 3), (started(42), "next", 4)]), 41).outcome == "abandoned"


@pytest.mark.parametrize(("run", "epoch"), [("dead", 4), ("next", 3)])
def test_it_is_not_when_the_run_or_the_lease_is_the_same(run: str, epoch: int) -> None:
    assert line(folded([(started(41), "dead", 3), (started(42), run, epoch)]), 41).outcome == "started"


def test_a_run_that_was_thought_dead_may_still_say_how_it_ended() -> None:
    late = Finished(number=41, outcome="overtaken")
    assert (
        line(folded([(started(41), "dead", 3), (started(42), "next", 4), (late, "dead", 3)]), 41).outcome == "overtaken"
    )


def test_quarantine_is_lifted_by_asking_for_the_release_by_name() -> None:
    bad = Finished(number=41, outcome="failed", quarantine=("aaa", "bbb"))
    state = folded([started(41), bad, started(42), verified(42, lift=("aaa",))])
    assert state.quarantined == ("bbb",)


def test_what_was_adopted_is_number_zero_until_something_of_ours_serves() -> None:
    state = folded([Adopted(revision="web-7", by=holder())])
    assert (state.adopted, state.serving, state.highest) == ("web-7", 0, 0)
    assert folded([Adopted(revision="web-7", by=holder()), started(1), verified(1)]).serving == 1


def test_after_a_removal_nothing_serves() -> None:
    state = folded([started(41), verified(41), Removed(by=holder("run-2", "remove"))])
    assert state.serving is None
    assert line(state, 41).until == 3.0
    assert state.highest == 41


def test_an_unknown_kind_moves_the_position_and_nothing_else() -> None:
    before = folded([started(41)])
    after = fold(before, entry(2, Unknown(kind="paused", body={}), epoch=1))  # type: ignore[arg-type]
    assert after == before.model_copy(update={"position": 2})


def test_the_state_stays_small_and_keeps_the_ways_back_however_many_releases_fail() -> None:
    facts: list[Fact] = []
    for number in range(1, 21):
        facts += [started(number), verified(number)]
    for number in range(21, 1000):
        facts += [started(number), Finished(number=number, outcome="failed", quarantine=(f"{number:012x}",))]
    state = folded(facts)
    assert [each.number for each in state.releases] == [*range(21 - VERIFIED, 21), *range(1000 - NEWEST, 1000)]
    assert state.verified == tuple(range(1, 21))
    assert len(state.quarantined) == QUARANTINED
    assert len(state.model_dump_json()) < 40_000


def test_the_numbers_that_were_verified_are_bounded_too() -> None:
    state = folded([fact for number in range(1, 300) for fact in (started(number), verified(number))])
    assert state.verified == tuple(range(300 - NUMBERS, 300))


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """Logs as several runs may write them: interleaved, interrupted, repaired."""
    chance, entries, highest = random.Random(draw(st.integers(0, 2**32))), [], 0
    for position in range(1, draw(st.integers(0, 90)) + 1):
        run, epoch = chance.choice("abc"), chance.randint(0, 5)
        fact: Fact
        if highest == 0 or chance.random() < 0.45:
            highest += chance.randint(1, 3)
            fact = started(highest, run)
        elif chance.random() < 0.9:
            serves = chance.choice([None, None, highest, chance.randint(1, highest)])
            outcome = chance.choice(["verified", "verified", "failed", "put-back", "overtaken"])
            number = chance.choice([highest, highest, chance.randint(1, highest)])
            fact = Finished.model_validate({"number": number, "outcome": outcome, "serves": serves})
        else:
            fact = Removed(by=holder()) if chance.random() < 0.5 else Adopted(revision="web", by=holder())
        entries.append(entry(position, fact, run=run, epoch=epoch))
    return entries


@given(logs())
def test_read_backwards_a_log_tells_the_same_history_as_forwards(entries: list[Entry]) -> None:
    state = LedgerState()
    for each in entries:
        state = fold(state, each)
    newest = list(backwards(iter(reversed(entries))))[:NEWEST]
    assert tuple(reversed(newest)) == state.releases[-NEWEST:]


@given(logs())
def test_numbers_only_rise_and_only_verified_releases_are_called_so(entries: list[Entry]) -> None:
    state = LedgerState()
    for each in entries:
        after = fold(state, each)
        assert after.highest >= state.highest
        assert after.position == state.position + 1
        state = after
    kept = {each.number: each.outcome for each in state.releases}
    assert [number for number in kept if kept[number] == "verified"] == [n for n in state.verified if n in kept]
