"""gc and remove: what goes, and what never does."""

from __future__ import annotations

import sys

import pytest

from shipper.model import Deployment
from tests.unit.operations.imaginary import Laptop

pytestmark = pytest.mark.unit


def released(laptop: Laptop, *texts: str) -> None:
    for text in texts:
        assert isinstance(laptop.release(text), Deployment)


def test_the_newest_verified_releases_and_what_serves_stay_able_to_come_back(laptop: Laptop) -> None:
    released(laptop, *"abcdefgh")
    planned = laptop.run("gc", "--service", "shop", "--plan", "--keep", "2", "--json").shown
    assert planned["keep"] == [6, 7, 8]
    assert laptop.run("gc", "--service", "shop", "--keep", "2").code == 0
    assert [record.number for record in laptop.memory.records.values()] == [6, 7, 8]
    assert laptop.run("rollback", "--service", "shop", "--to", "#6").code == 0
    assert laptop.answer() == "f"


def test_a_plan_writes_nothing(laptop: Laptop) -> None:
    released(laptop, *"abcd")
    version = laptop.memory.version
    said = laptop.run("gc", "--service", "shop", "--plan", "--keep", "1").out
    assert "nothing was written" in said
    assert laptop.memory.version == version


def test_failed_releases_do_not_push_the_way_back_out(laptop: Laptop) -> None:
    released(laptop, "one", "two")
    for number in range(5):
        laptop.release(f"bad {number}", image="crash-loop")
    assert laptop.run("gc", "--service", "shop", "--keep", "1").code == 0
    assert laptop.run("rollback", "--service", "shop").code == 0
    assert laptop.answer() == "one"


def test_after_a_rollback_the_content_that_serves_stays_under_its_old_number(laptop: Laptop) -> None:
    released(laptop, *"abc")
    assert laptop.run("rollback", "--service", "shop", "--to", "#1").code == 0
    assert laptop.run("gc", "--service", "shop", "--keep", "1").code == 0
    assert 1 in [record.number for record in laptop.memory.records.values()]
    assert laptop.answer() == "a"


def test_where_nothing_is_known_to_be_good_nothing_goes(laptop: Laptop) -> None:
    released(laptop, *"abcd")
    laptop.lose_ledger()
    laptop.lose_stamp()
    ended = laptop.run("gc", "--service", "shop", "--keep", "1")
    assert ended.code == 16, ended
    assert len(laptop.memory.records) == 4


def test_without_a_ledger_everything_that_may_have_been_good_counts(laptop: Laptop) -> None:
    released(laptop, *"abcdefgh")
    laptop.lose_ledger()
    planned = laptop.run("gc", "--service", "shop", "--plan", "--keep", "7", "--json").shown
    assert planned["keep"] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_remove_leaves_nothing_and_says_so_in_the_history(laptop: Laptop) -> None:
    released(laptop, "one", "two")
    ended = laptop.run("remove", "--service", "shop", "--yes", "--json")
    assert (ended.code, ended.finished["cause"]) == (0, "removed"), ended
    assert (laptop.memory.held, laptop.memory.records, laptop.memory.secrets) == ({}, {}, {})
    assert not list((laptop.home / "data").rglob("*.json"))
    again = laptop.release("three")
    assert isinstance(again, Deployment)
    assert again.number == 3


def test_remove_again_is_fine(laptop: Laptop) -> None:
    released(laptop, "one")
    first, again = (laptop.run("remove", "-C", str(laptop.project), "--yes", "--json") for _ in range(2))
    assert (first.code, again.code) == (0, 0), (first, again)
    assert first.finished["message"] == "shop in dev is removed from here"
    assert again.finished["message"] == "no release of shop in dev was on here, and nothing of it is left there"


def test_remove_without_a_terminal_needs_its_yes(laptop: Laptop) -> None:
    released(laptop, "one")
    ended = laptop.run("remove", "--service", "shop")
    assert ended.code == 2, ended
    assert "--yes" in ended.err
    assert laptop.answer() == "one"


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 130, ["shop-1"]), ("y\n", 0, [])])
def test_on_a_terminal_it_names_what_goes_and_asks(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: list[str]
) -> None:
    released(laptop, "one")

    class Terminal:
        """Somebody types."""

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _="": answer.strip())
    ended = laptop.run("remove", "--service", "shop")
    assert ended.code == code, ended
    assert "shop-1" in ended.err
    assert list(laptop.memory.held) == left


def test_remove_without_the_ledger_ends_24(laptop: Laptop) -> None:
    released(laptop, "one")
    laptop.break_ledger()
    ended = laptop.run("remove", "--service", "shop", "--yes")
    assert ended.code == 24, ended
    assert laptop.memory.held == {}
