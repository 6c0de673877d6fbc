"""Entries as bytes: ours, a newer shipper's, somebody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import LedgerError
from shipper.ledger.entries import entry_bytes, nonce_of, read_entry
from shipper.model import Finished, Started
from shipper.model.ledger import Unknown
from tests.unit.ledger.ledger_making import entry, started, verified

pytestmark = pytest.mark.unit

NAME = "s3://bucket/iris/production/cloudrun/entries/000000000041.json"


def changed(change: Callable[[dict[str, Any]], object], fact: Started | Finished | None = None) -> bytes:
    value = json.loads(entry_bytes(entry(41, fact or started(7))))
    change(value)
    return json.dumps(value).encode()


def test_an_entry_comes_back_as_it_was_written() -> None:
    written = entry(41, started(7))
    assert read_entry(entry_bytes(written), NAME, 41, "iris", whole=True) == written
    assert nonce_of(entry_bytes(written)) == "n"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (entry_bytes(entry(41, started(7)))[:-20], "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"", "it is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (changed(lambda value: value.pop("fact")), "it has no fact"),
        (changed(lambda value: value["fact"].pop("kind")), "it has no fact"),
        (changed(lambda value: value.pop("nonce")), "nonce"),
        (changed(lambda value: value.update(position=40)), "it says that it is entry 40"),
        (changed(lambda value: value["fact"]["release"]["settings"]["service"].update(service="lily")), "service lily"),
        (changed(lambda value: value["fact"]["release"].update(number=-1)), "release.number"),
    ],
)
def test_what_is_no_entry_of_this_log_is_refused_by_its_name(body: bytes, why: str) -> None:
    with pytest.raises(LedgerError) as caught:
        read_entry(body, NAME, 41, "iris")
    assert NAME in caught.value.message
    assert why in caught.value.message
    assert caught.value.hint


def test_another_schema_says_to_upgrade() -> None:
    with pytest.raises(LedgerError, match="has schema 2, and this shipper knows 1") as caught:
        read_entry(changed(lambda value: value.update(schema_number=2)), NAME, 41, "iris")
    assert "upgrade shipper" in caught.value.hint


def test_an_unknown_kind_is_kept_as_unknown() -> None:
    body = changed(lambda value: value.update(fact={"kind": "paused", "until": 5}))
    assert read_entry(body, NAME, 41, "iris").fact == Unknown(kind="paused", body={"until": 5})


def test_an_unknown_kind_that_every_reader_has_to_know_says_to_upgrade() -> None:
    body = changed(lambda value: value.update(critical=True, fact={"kind": "paused"}))
    with pytest.raises(LedgerError, match="of kind 'paused', which every reader has to know") as caught:
        read_entry(body, NAME, 41, "iris")
    assert "upgrade shipper" in caught.value.hint


def test_new_fields_of_a_newer_shipper_do_not_hide_the_history() -> None:
    def newer(value: dict[str, Any]) -> None:
        value["weather"] = "fine"
        value["fact"]["release"]["settings"]["gpu"] = {"count": 2}
        value["fact"]["by"]["colour"] = "blue"

    fact = read_entry(changed(newer), NAME, 41, "iris").fact
    assert isinstance(fact, Started)
    assert fact.release.number == 7


def test_but_a_release_that_is_to_come_back_has_to_be_understood_as_a_whole() -> None:
    body = changed(lambda value: value["fact"]["release"]["settings"].update(gpu={"count": 2}))
    with pytest.raises(LedgerError, match=r"does not know: release\.settings\.gpu") as caught:
        read_entry(body, NAME, 41, "iris", whole=True)
    assert "upgrade shipper" in caught.value.hint


def test_the_end_of_a_release_comes_back_too() -> None:
    written = entry(41, verified(7, quarantine=("abc",), serves=7))
    assert read_entry(entry_bytes(written), NAME, 41, "iris") == written
