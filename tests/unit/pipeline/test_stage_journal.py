"""A stage is not run again when nothing changed and its product still holds; an entry is never trusted for itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict

from shipper.model import EvidenceFound, Product, Remark
from shipper.model.secret import Secret
from shipper.pipeline import Journal, Pipeline, assemble
from shipper.pipeline.journal import key_of
from shipper.pipeline.stage import Reuse, stage
from tests.unit.pipeline.kitchen import ABOUT, Bread, Dough, Flour, Hearth, Kitchen, Oven, Weighing

pytestmark = pytest.mark.unit


class Fussy(Hearth):
    """An oven whose world and whose bread can change."""

    def __init__(self) -> None:
        super().__init__()
        self.world = "stone"
        self.bread_is_there = True


@stage(
    version=1,
    reuse=Reuse(
        world=lambda oven: oven.world,
        still_true=lambda bread, oven: oven.bread_is_there,
    ),
)
def bake(flour: Flour, oven: Oven) -> Bread:
    return Bread(text=oven.bake(flour.grams))


BREAD = assemble("bread", goal=Bread, seeds=[Flour], stages=[bake])


@pytest.fixture
def oven() -> Fussy:
    return Fussy()


@pytest.fixture
def cook(tmp_path: Path, oven: Fussy) -> Callable[..., str]:
    """Run once; how the stage ended."""

    def cooking(flour: Flour | None = None, pipeline: Pipeline = BREAD) -> str:
        kitchen = Kitchen(tmp_path / "journal")
        kitchen.cook(pipeline, flour or Flour(), oven=oven)
        return kitchen.endings()["bake"]

    return cooking


def the_entry(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "journal").glob("*.json")
    return path


def test_nothing_changed_so_it_is_reused(cook: Callable[..., str], oven: Fussy) -> None:
    assert [cook(), cook()] == ["done", "reused"]
    assert oven.baked == 1


def test_another_input_is_another_product(cook: Callable[..., str]) -> None:
    assert [cook(), cook(Flour(grams=1))] == ["done", "done"]


def test_another_world_is_another_product(cook: Callable[..., str], oven: Fussy) -> None:
    cook()
    oven.world = "a new vulnerability database"

    assert cook() == "done"


def test_what_is_no_longer_true_is_made_again(cook: Callable[..., str], oven: Fussy) -> None:
    cook()
    oven.bread_is_there = False

    assert cook() == "done"
    assert oven.baked == 2


def test_what_cannot_be_checked_is_made_again(cook: Callable[..., str], oven: Fussy) -> None:
    cook()
    del oven.bread_is_there

    assert cook() == "done"


def test_when_the_world_is_unknown_the_stage_itself_runs(cook: Callable[..., str], oven: Fussy) -> None:
    cook()
    del oven.world

    assert cook() == "done"


def test_another_version_of_the_stage_is_another_product(cook: Callable[..., str]) -> None:
    cook()

    @stage(version=2, reuse=Reuse(world=lambda oven: oven.world))
    def bake(flour: Flour, oven: Oven) -> Bread:
        return Bread(text="version 2")

    assert cook(pipeline=assemble("bread", goal=Bread, seeds=[Flour], stages=[bake])) == "done"


def test_a_stage_that_did_not_opt_in_always_runs(tmp_path: Path) -> None:
    def bake(flour: Flour) -> Bread:
        return Bread(text="fresh")

    pipeline = assemble("bread", goal=Bread, seeds=[Flour], stages=[bake])
    for _ in range(2):
        kitchen = Kitchen(tmp_path / "journal")
        kitchen.cook(pipeline, Flour())
        assert kitchen.endings() == {"bake": "done"}
    assert not (tmp_path / "journal").exists()


def test_reused_evidence_is_told_again(tmp_path: Path) -> None:
    @stage(reuse=Reuse(world=lambda: "always"))
    def weigh(flour: Flour) -> Weighing:
        return Weighing(subject=ABOUT, status="failed", reason="too heavy")

    pipeline = assemble("x", goal=Weighing, seeds=[Flour], stages=[weigh])
    for ending in ("done", "reused"):
        kitchen = Kitchen(tmp_path / "journal")
        kitchen.cook(pipeline, Flour())
        assert kitchen.endings() == {"weigh": ending}
        (told,) = kitchen.told.of(EvidenceFound)
        assert told.evidence["reason"] == "too heavy"


def replaced(before: str, after: str) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(before.encode(), after.encode())


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-20],
        lambda content: b"\xff\x00" * 50,
        lambda content: b"[]",
        lambda content: b"null",
        lambda content: b"[" * 100_000,
        replaced("500 g", "900 g"),
        replaced('"schema": 1', '"schema": 2'),
        replaced('"journal": 1', '"journal": 2'),
        replaced('"type": "Bread"', '"type": "Dough"'),
    ],
)
def test_a_damaged_or_foreign_entry_is_no_entry(
    cook: Callable[..., str], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    cook()
    entry = the_entry(tmp_path)
    before = entry.read_bytes()
    entry.write_bytes(damage(before))
    assert entry.read_bytes() != before

    assert [cook(), cook()] == ["done", "reused"]


def test_an_entry_under_another_key_is_no_entry(cook: Callable[..., str], tmp_path: Path) -> None:
    cook()
    foreign = the_entry(tmp_path).read_bytes()
    cook(Flour(grams=1))
    for path in (tmp_path / "journal").glob("*.json"):
        path.write_bytes(foreign)

    assert cook(Flour(grams=1)) == "done"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_flipped_byte_changes_a_product(tmp_path: Path, data: st.DataObject) -> None:
    journal, key = Journal(tmp_path), key_of("bake", 1, {}, "w")
    journal.remember(key, Bread(text="as it was"))
    path = next(tmp_path.glob("*.json"))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)

    assert journal.find(key, Bread) in (None, Bread(text="as it was"))


def test_a_product_that_does_not_come_back_as_it_was_is_not_kept(tmp_path: Path) -> None:
    class Lossy(Product):
        values: object

    with pytest.raises(ValueError, match="does not come back from JSON"):
        Journal(tmp_path).remember(key_of("x", 1, {}, ""), Lossy(values=(1, 2)))


def test_a_product_with_a_secret_refuses(tmp_path: Path) -> None:
    class Leaky(Product):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        secret: Secret

    with pytest.raises(Exception, match="serialize unknown type"):
        Journal(tmp_path).remember(key_of("x", 1, {}, ""), Leaky(secret=Secret("token", b"hunter2")))

    assert not list(tmp_path.iterdir())


def test_only_the_most_recently_used_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path, keep=3)
    keys = [key_of("x", number, {}, "") for number in range(5)]
    for age, key in enumerate(keys[:3]):
        journal.remember(key, Flour(grams=age))
        os.utime(tmp_path / f"{key.removeprefix('sha256:')}.json", (1000 + age, 1000 + age))
    journal.find(keys[0], Flour)  # used again: it is the youngest now

    journal.remember(keys[3], Flour())

    assert [journal.find(key, Flour) is not None for key in keys] == [True, False, True, True, False]


def test_entries_are_private_and_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.remember(key_of("x", 1, {}, ""), Flour())

    (path,) = (tmp_path / "journal").iterdir()  # and nothing unfinished beside it
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["record"]["type"] == "Flour"


def test_a_journal_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path, oven: Fussy) -> None:
    (tmp_path / "journal").write_text("a file where the directory should be")
    kitchen = Kitchen(tmp_path / "journal")

    assert kitchen.cook(BREAD, Flour(), oven=oven) == Bread(text="bread of 500 g")

    assert "bake was not kept for reuse" in kitchen.told.of(Remark)[0].text


def test_a_key_is_made_of_all_its_parts() -> None:
    base = key_of("x", 1, {"a": "1"}, "w")
    others = [
        key_of("y", 1, {"a": "1"}, "w"),
        key_of("x", 2, {"a": "1"}, "w"),
        key_of("x", 1, {"a": "2"}, "w"),
        key_of("x", 1, {"b": "1"}, "w"),
        key_of("x", 1, {"a": "1"}, "v"),
    ]

    assert len({base, *others}) == 6


def test_an_unused_product_type_is_not_confused(tmp_path: Path) -> None:
    journal, key = Journal(tmp_path), key_of("x", 1, {}, "")
    journal.remember(key, Flour())

    assert journal.find(key, Dough) is None
