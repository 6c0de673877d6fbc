"""The log, on a store that fails as stores do. No time passes."""

from __future__ import annotations

import json

import pytest

from shipper.errors import LedgerError
from shipper.ledger.entries import entry_bytes
from shipper.ledger.snapshot import EVERY
from shipper.ledger.store import Doubtful
from shipper.model import Fact, Finished, LedgerState
from tests.unit.ledger.ledger_making import (
    DIGEST,
    KEYS,
    DictStore,
    doubt,
    entry,
    log_on,
    release,
    started,
    store_with,
    write,
)

pytestmark = pytest.mark.unit

HINT = KEYS.hint


def begun(state: LedgerState) -> Fact:
    return started(state.highest + 1)


def numbers(store: DictStore) -> list[int]:
    """The numbers that were claimed, by position."""
    values = [json.loads(body) for key, body in sorted(store.objects.items()) if "/entries/" in key]
    assert [value["position"] for value in values] == list(range(1, len(values) + 1))
    return [value["fact"]["release"]["number"] for value in values if value["fact"]["kind"] == "started"]


def test_what_was_appended_is_what_another_reader_finds() -> None:
    store = DictStore()
    write(log_on(store), 3)
    state = log_on(store).state()
    assert (state.position, state.highest, state.serving) == (6, 3, 3)
    assert log_on(store).release(2) == release(2)
    assert log_on(store).release(4) is None
    assert [line.number for line in log_on(store).history()] == [3, 2, 1]


def test_a_decision_to_write_nothing_writes_nothing() -> None:
    store = DictStore()
    assert log_on(store).append(lambda _: None, run="run-1", epoch=1) is None
    assert store.objects == {}


def test_a_writer_that_was_too_slow_decides_again_about_the_newer_state() -> None:
    store = DictStore()
    slow, fast, seen = log_on(store), log_on(store), []

    def decide(state: LedgerState) -> Fact:
        seen.append(state.highest)
        if len(seen) < 4:
            fast.append(begun, run="run-2", epoch=1)
        return started(state.highest + 1)

    written = slow.append(decide, run="run-1", epoch=1)
    assert written is not None
    assert seen == [0, 1, 2, 3]
    assert numbers(store) == [1, 2, 3, 4]


def test_a_number_is_never_claimed_twice() -> None:
    log = log_on(DictStore())
    write(log, 2)
    with pytest.raises(LedgerError, match="release number 2 was used already"):
        log.append(lambda _: started(2), run="run-1", epoch=1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_answer_that_was_lost_neither_loses_nor_doubles_an_entry(when: str, times: int) -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 1)
    getattr(store, when).append(doubt(times, "create", "/entries/"))
    getattr(store, when).append(doubt(1, "get", "/entries/"))
    written = log.append(begun, run="run-1", epoch=1)
    assert written is not None
    assert written.position == 3
    assert numbers(store) == [1, 2]


def test_told_that_it_exists_after_our_own_write_we_find_our_own_nonce() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 1)

    def twice(verb: str, key: str) -> None:
        """The store carries a request out, loses its answer and hears it again."""
        if verb == "create" and "/entries/" in key:
            store.after.remove(twice)
            raise Doubtful("lost")

    store.after.append(twice)
    store.before.append(doubt(1, "get", "/entries/000000000003"))
    assert log.append(begun, run="run-1", epoch=1) is not None
    assert numbers(store) == [1, 2]


def test_a_conflict_without_an_object_is_tried_again() -> None:
    """S3 answers 409 to one of two conditional writes at once, and may have carried out neither."""
    store = DictStore()
    log = log_on(store)
    write(log, 1)
    create = store.create
    refused: list[str] = []

    def conflicting(key: str, body: bytes) -> bool:
        if "/entries/" in key and not refused:
            refused.append(key)
            return False
        return create(key, body)

    store.create = conflicting  # type: ignore[method-assign]
    assert log.append(begun, run="run-1", epoch=1) is not None
    assert refused
    assert numbers(store) == [1, 2]


def test_a_store_that_stays_silent_is_given_up_in_bounded_time() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 1)
    store.before.append(doubt(10_000, "create", ""))
    with pytest.raises(LedgerError, match="does not answer"):
        log.append(begun, run="run-1", epoch=1)
    assert log._clock.monotonic() <= 3.0
    store.before.clear()
    assert log_on(store).state().highest == 1


def test_a_store_that_overwrites_is_found_out_before_the_first_entry() -> None:
    store = DictStore()

    def overwriting(key: str, body: bytes) -> bool:
        store.objects[key] = body
        return True

    store.create = overwriting  # type: ignore[method-assign]
    with pytest.raises(LedgerError, match="does not support conditional writes"):
        log_on(store).append(begun, run="run-1", epoch=1)
    assert not [key for key in store.objects if "/entries/" in key]


@pytest.mark.parametrize("releases", [1, 100, 600])
def test_opening_takes_three_requests_at_any_length(releases: int) -> None:
    store = store_with(releases)
    store.asked.clear()
    assert log_on(store).state().highest == releases
    assert store.asked == {"get": 3}


def test_looking_again_takes_one_request_and_appending_three() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 5)
    store.asked.clear()
    log.state()
    assert store.asked == {"get": 1}
    store.asked.clear()
    log.append(begun, run="run-1", epoch=1)
    assert store.asked == {"get": 1, "create": 1, "put": 1}


def wrong_hints() -> dict[str, bytes | None]:
    """What may stand where the hint of a log of 500 releases should."""
    good = store_with(500).objects[HINT]
    return {
        "lost": None,
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "not JSON": b"\x00\xff",
        "changed": good.replace(b'"highest":500', b'"highest":999'),
        "of another schema": json.dumps({**json.loads(good), "more": 1}).encode(),
        "a list": b"[]",
        "far behind": store_with(3).objects[HINT],
        "beyond the end": store_with(600).objects[HINT],
    }


@pytest.mark.parametrize("lie", wrong_hints())
@pytest.mark.parametrize("without_snapshots", [False, True])
def test_a_hint_that_is_lost_or_wrong_costs_a_search_and_nothing_else(lie: str, without_snapshots: bool) -> None:
    store = store_with(500)
    truth = log_on(store).state()
    body = wrong_hints()[lie]
    assert store.objects.pop(HINT) != body
    if body is not None:
        store.objects[HINT] = body
    if without_snapshots:
        for key in [key for key in store.objects if "/fold-" in key and key != HINT]:
            del store.objects[key]
    store.asked.clear()
    assert log_on(store).state() == truth
    assert without_snapshots or store.asked["get"] < 2 * EVERY
    log_on(store).append(begun, run="run-1", epoch=1)
    store.asked.clear()
    assert log_on(store).state().highest == 501
    assert store.asked == {"get": 3}


def test_the_newest_good_snapshot_is_taken_when_the_newest_is_spoiled() -> None:
    store = store_with(500)
    log = log_on(store)
    truth = log.state()
    del store.objects[HINT]
    for lost in (15, 14):
        store.objects[KEYS.snapshot(lost * EVERY)] = b"{"
    store.asked.clear()
    assert log_on(store).state() == truth
    assert store.asked["get"] < 4 * EVERY + 40


def test_the_hint_of_a_log_that_was_restored_from_a_backup_is_not_believed() -> None:
    """As many entries, and others: the nonce of the last one tells."""
    store, restored = DictStore(), DictStore()
    write(log_on(store), 10)
    log = log_on(restored)
    for _ in range(20):
        log.append(begun, run="run-9", epoch=1)
    restored.objects[HINT] = store.objects[HINT]
    assert log_on(restored).state().highest == 20


def test_a_hint_that_cannot_be_written_fails_nothing() -> None:
    store = DictStore()
    store.before.append(doubt(10_000, "put", ""))
    write(log_on(store), 3)
    assert log_on(store).state().highest == 3


def test_an_entry_that_cannot_be_read_is_named_and_never_skipped() -> None:
    store = DictStore()
    write(log_on(store), 3)
    del store.objects[HINT]
    store.objects[KEYS.entry(4)] = b"{"
    with pytest.raises(LedgerError, match=r"entries/000000000004\.json is not an entry of this ledger"):
        log_on(store).state()


def test_an_entry_of_a_newer_shipper_that_must_be_known_stops_reading_and_writing() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 1)
    value = json.loads(entry_bytes(entry(3, started(2))))
    value.update(critical=True, fact={"kind": "moved", "to": "elsewhere"})
    store.objects[KEYS.entry(3)] = json.dumps(value).encode()
    for call in (log.state, lambda: log.append(begun, run="run-1", epoch=1)):
        with pytest.raises(LedgerError, match="which every reader has to know"):
            call()
    assert KEYS.entry(4) not in store.objects


def test_an_unknown_entry_that_need_not_be_known_is_passed_over() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 1)
    value = json.loads(entry_bytes(entry(3, started(2))))
    value.update(fact={"kind": "commented", "text": "well done"})
    store.objects[KEYS.entry(3)] = json.dumps(value).encode()
    written = log.append(begun, run="run-1", epoch=1)
    assert written is not None
    assert written.position == 4
    assert [line.number for line in log_on(store).history()] == [2, 1]


def test_the_whole_history_is_there_newest_first_and_read_as_it_is_asked_for() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 200)
    log.append(lambda _: Finished(number=5, outcome="not-put-back"), run="repair", epoch=9)
    store.asked.clear()
    lines = log_on(store).history()
    assert [next(lines).number for _ in range(20)] == list(range(200, 180, -1))
    assert store.asked["get"] == 3
    rest = list(lines)
    assert [line.number for line in rest] == list(range(180, 0, -1))
    assert [line.number for line in rest if line.outcome != "verified"] == [5]
    assert all(line.until is not None for line in rest)


def test_any_release_is_found_by_its_number_with_a_handful_of_reads() -> None:
    store = store_with(600)
    for number in (1, 2, 299, 500, 590, 600):
        store.asked.clear()
        assert log_on(store).release(number) == release(number)
        assert store.asked["get"] <= 8


def test_a_number_that_was_skipped_has_no_release() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 100)
    log.append(lambda _: started(150), run="run-1", epoch=1)
    write(log, 40)
    assert log.release(120) is None
    assert log.release(150) == release(150)
    assert log.release(0) is None


def test_two_logs_in_one_store_know_nothing_of_each_other() -> None:
    store = DictStore()
    write(log_on(store), 2)
    assert all(key.startswith("iris/production/cloudrun/") for key in store.objects)


def test_the_first_evidence_about_an_image_stays() -> None:
    store = DictStore()
    log = log_on(store)
    assert log.evidence(DIGEST) is None
    log.put_evidence(DIGEST, {"scan": "clean"})
    log.put_evidence(DIGEST, {"scan": "other"})
    assert log_on(store).evidence(DIGEST) == {"scan": "clean"}


def test_evidence_that_is_none_is_refused_by_name() -> None:
    store = DictStore()
    log = log_on(store)
    log.put_evidence(DIGEST, {})
    (key,) = [key for key in store.objects if key.startswith("evidence/")]
    store.objects[key] = b"<html>"
    with pytest.raises(LedgerError, match="is not evidence"):
        log.evidence(DIGEST)


def test_verified_releases_of_long_ago_can_still_be_told_from_others() -> None:
    store = DictStore()
    log = log_on(store)
    write(log, 1)
    for _ in range(40):
        log.append(begun, run="run-1", epoch=1)
        log.append(lambda state: Finished(number=state.highest, outcome="failed"), run="run-1", epoch=1)
    state = log_on(store).state()
    assert state.verified == (1,)
    assert [line.number for line in state.releases if line.outcome == "verified"] == [1]
