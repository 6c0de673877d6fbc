"""Commands that write and do not get to their end: the exit code says what is there now."""

from __future__ import annotations

import pytest

from shipper.errors import Denied, HalfDone, Invalid, Transient
from shipper.model import Deployment, Stamp
from shipper.operations.places import remembered
from shipper.operations.services import Place
from tests.unit.operations.imaginary import Collecting, Laptop

pytestmark = pytest.mark.unit


@pytest.fixture
def two(laptop: Laptop) -> Laptop:
    """Two releases, both verified."""
    for text in ("one", "two"):
        assert isinstance(laptop.release(text), Deployment)
    return laptop


def test_a_ledger_that_dies_during_a_removal_ends_24_and_the_place_is_forgotten(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    removing = Collecting.remove

    def and_then_the_ledger_dies(self: Collecting, stamp: Stamp, seen: str) -> None:
        removing(self, stamp, seen)
        two.break_ledger()

    monkeypatch.setattr(Collecting, "remove", and_then_the_ledger_dies)
    ended = two.run("remove", "--service", "shop", "--yes", "--json")
    assert ended.code == 24, ended
    assert "is removed from here" in ended.finished["message"]
    assert remembered("shop", "dev", {"XDG_DATA_HOME": str(two.home / "data")}) == []


def test_a_removal_that_fails_after_the_traffic_went_ends_22(two: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: Collecting, stamp: Stamp, seen: str) -> None:
        self.memory.weights.clear()
        raise Invalid("device or resource busy")

    monkeypatch.setattr(Collecting, "remove", half)
    ended = two.run("remove", "--service", "shop", "--yes", "--json")
    assert (ended.code, ended.finished["cause"]) == (22, "removed-in-part"), ended
    assert "run `shipper remove` again" in ended.finished["hint"]


def test_a_removal_that_fails_when_only_records_went_ends_22(two: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: Collecting, stamp: Stamp, seen: str) -> None:
        del self.memory.held["shop-1"]
        raise Denied("delete shop-2")

    monkeypatch.setattr(Collecting, "remove", half)
    assert two.run("remove", "--service", "shop", "--yes").code == 22


def test_a_removal_that_waits_for_somebody_ends_22_although_pods_still_answer(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(self: Collecting, stamp: Stamp, seen: str) -> None:
        raise HalfDone("Deployment shop is deleted and still there")

    monkeypatch.setattr(Collecting, "remove", held)
    ended = two.run("remove", "--service", "shop", "--yes", "--json")
    assert (ended.code, ended.finished["cause"]) == (22, "removed-in-part"), ended
    assert "Deployment shop is deleted and still there" in ended.finished["message"]


def test_a_removal_that_is_refused_leaves_all_as_it_was(two: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Collecting, stamp: Stamp, seen: str) -> None:
        raise Invalid("not now")

    monkeypatch.setattr(Collecting, "remove", refused)
    assert two.run("remove", "--service", "shop", "--yes").code == 2
    assert two.answer() == "two"


def test_a_repair_is_done_although_the_target_falls_silent_at_its_end(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(self: Place) -> None:
        raise Transient("connection reset")

    monkeypatch.setattr(Place, "what_serves", silent)
    ended = two.run("status", "--service", "shop", "--repair")
    assert ended.code == 0, ended


def test_a_dry_run_of_a_way_back_that_is_none_ends_like_the_real_one(two: Laptop) -> None:
    two.memory.images.clear()
    for name in set(two.memory.held) - set(two.memory.weights):
        del two.memory.held[name]
    assert two.run("rollback", "--service", "shop", "--dry-run").code == 23
    assert two.run("rollback", "--service", "shop").code == 23
    assert two.answer() == "two"
