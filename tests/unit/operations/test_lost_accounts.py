"""A lost ledger, a lost stamp, both: what still works, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.errors import NotFound
from shipper.model import Deployment
from shipper.targets.conformance.memory_target import MemoryTarget
from tests.unit.operations.imaginary import Laptop

pytestmark = pytest.mark.unit


@pytest.fixture
def two(laptop: Laptop) -> Laptop:
    """Two releases, both verified."""
    for text in ("one", "two"):
        assert isinstance(laptop.release(text), Deployment)
    return laptop


def test_without_its_ledger_the_platforms_own_records_are_enough(two: Laptop) -> None:
    two.lose_ledger()
    ended = two.run("rollback", "--service", "shop")
    assert ended.code == 0, ended
    assert two.answer() == "one"
    assert "history from the platform's own records" in ended.err


def test_a_directory_that_somebody_elses_record_names_is_not_written_to(two: Laptop, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    assert isinstance(two.release("three", {"ledger": {"url": theirs.as_uri()}}), Deployment)
    two.forget_places()
    before = sorted(theirs.rglob("*"))
    assert before

    ended = two.run("rollback", "--service", "shop", "-t", "memory://")
    assert ended.code == 0, ended
    assert f"its newest release was recorded in {theirs.as_uri()}: --ledger names another" in ended.err
    assert two.answer() == "two"
    assert sorted(theirs.rglob("*")) == before


def test_numbers_go_on_where_they_were_after_the_ledger_was_lost(two: Laptop) -> None:
    two.lose_ledger()
    three = two.release("three")
    assert isinstance(three, Deployment)
    assert three.number == 3


def test_a_ledger_that_does_not_answer_ends_24_and_says_what_to_run(two: Laptop) -> None:
    two.break_ledger()
    ended = two.run("rollback", "--service", "shop", "--json")
    assert ended.code == 24, ended
    assert two.answer() == "one"
    assert "shipper status --repair" in ended.finished["hint"]
    assert ended.finished["serves"]["number"] == 1


def test_a_release_does_not_go_on_without_its_ledger(two: Laptop) -> None:
    two.break_ledger()
    assert getattr(two.release("three"), "exit_code", 0) == 33
    assert two.answer() == "two"


def test_a_ledger_that_cannot_even_be_opened_is_like_one_that_does_not_answer(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    ended = two.run("rollback", "--service", "shop", "--ledger", "az://container/x", "--json")
    assert ended.code == 24, ended
    assert two.answer() == "one"


def test_a_url_that_is_no_ledgers_is_a_mistake_and_nothing_is_done(two: Laptop) -> None:
    ended = two.run("rollback", "--service", "shop", "--ledger", "ftp://somewhere")
    assert ended.code == 2, ended
    assert "s3://" in ended.err
    assert two.answer() == "two"


def test_a_lost_stamp_is_told_and_repaired(two: Laptop) -> None:
    two.lose_stamp()
    assert "the stamp on the platform is lost" in two.run("status", "--service", "shop").out
    ended = two.run("status", "--service", "shop", "--repair", "--json")
    assert (ended.code, ended.finished["cause"]) == (0, "repaired"), ended
    assert two.memory.stamp.verified == (1, 2)
    assert two.memory.stamp.highest == 2
    assert two.run("status", "--service", "shop", "--repair", "--json").finished["cause"] == "nothing-to-do"


def test_without_a_stamp_the_ledger_knows_the_way_back(two: Laptop) -> None:
    two.lose_stamp()
    assert two.run("rollback", "--service", "shop").code == 0
    assert two.answer() == "one"


def test_with_both_lost_a_release_is_gone_back_to_when_it_is_named(two: Laptop) -> None:
    two.lose_stamp()
    two.lose_ledger()
    refused = two.run("rollback", "--service", "shop", "--json")
    assert refused.code == 23, refused
    assert "--to #" in refused.finished["hint"]
    ended = two.run("rollback", "--service", "shop", "--to", "#1", "--json")
    assert ended.code == 0, ended
    assert two.answer() == "one"
    assert ended.finished["serves"]["number"] == 3


def test_repair_records_what_a_rollback_without_a_ledger_had_done(two: Laptop) -> None:
    two.break_ledger()
    assert two.run("rollback", "--service", "shop").code == 24
    (two.home / "state" / "shipper" / "ledger").unlink()
    ended = two.run("status", "--service", "shop", "--repair", "--json")
    assert (ended.code, ended.finished["cause"]) == (0, "repaired"), ended
    first = two.run("history", "--service", "shop", "--json").shown["releases"][0]
    assert (first["number"], first["rollback_to"], first["outcome"], first["serves"]) == (3, 1, "verified", True)


def test_repair_leaves_what_is_older_than_a_new_ledger(two: Laptop) -> None:
    two.lose_ledger()
    assert getattr(two.release("three", image="crash-loop"), "exit_code", 0) == 20
    ended = two.run("status", "--service", "shop", "--repair")
    assert ended.code == 0, ended
    assert "#2 is older than the ledger, which is at #3: not recorded" in ended.err


def test_history_without_a_ledger_says_where_it_comes_from(two: Laptop) -> None:
    two.lose_ledger()
    shown = two.run("history", "--service", "shop", "--json").shown
    assert [line["number"] for line in shown["releases"]] == [2, 1]
    assert shown["ledger"] == ""
    assert "the platform's own records" in shown["remarks"][0]


def test_history_without_a_platform_is_the_ledgers_account(two: Laptop) -> None:
    two.kind.unreachable = True
    ended = two.run("history", "--service", "shop", "--json")
    assert ended.code == 0, ended
    assert [line["number"] for line in ended.shown["releases"]] == [2, 1]
    assert "the platform does not answer" in ended.shown["remarks"][0]


def test_a_platform_that_does_not_answer_is_33_for_everything_else(two: Laptop) -> None:
    two.kind.unreachable = True
    for words in (
        ("status",),
        ("verify",),
        ("rollback",),
        ("rollback", "--dry-run"),
        ("gc", "--plan"),
        ("remove", "--yes"),
    ):
        ended = two.run(*words, "--service", "shop")
        assert ended.code == 33, (words, ended)
        assert "Traceback" not in ended.err


def test_with_both_lost_repair_clears_nothing_away(two: Laptop) -> None:
    two.lose_stamp()
    two.lose_ledger()
    before = set(two.memory.held)
    ended = two.run("status", "--service", "shop", "--repair")
    assert ended.code == 0, ended
    assert "nobody knows what was good" in ended.err
    assert set(two.memory.held) == before


def test_where_everything_was_deleted_repair_says_so_and_how_to_get_it_back(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_left(*_: object) -> None:
        raise NotFound("there is nothing of shop that could carry the stamp")

    two.memory.set_weights({})
    two.lose_stamp()
    monkeypatch.setattr(MemoryTarget, "write_stamp", nothing_left)
    ended = two.run("status", "--service", "shop", "--repair", "--json")
    assert (ended.code, ended.finished["cause"]) == (22, "nothing-serves"), ended
    assert "could carry the stamp" in ended.finished["message"]
    assert "does not answer" not in ended.finished["message"]
    assert "shipper rollback" in ended.finished["hint"]
