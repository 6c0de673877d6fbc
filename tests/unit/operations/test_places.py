"""Finding a service without its repository: places that are remembered, URLs, and the platform's own records."""

from __future__ import annotations

import json
import stat

import pytest

from shipper.errors import UsageError
from shipper.model import Deployment
from shipper.operations.where import Where
from shipper.operations.workspace import open_place, open_workspace
from tests.unit.operations.imaginary import Laptop

pytestmark = pytest.mark.unit


def test_a_place_is_kept_for_this_user_only_and_without_secrets(laptop: Laptop) -> None:
    laptop.release("one")
    (kept,) = (laptop.home / "data").rglob("*.json")
    assert kept.relative_to(laptop.home / "data").as_posix() == "shipper/targets/shop.dev/here.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    value = json.loads(kept.read_text())["value"]
    assert value["target"]["settings"] == {"room": "first"}
    assert value["ledger"] == (laptop.home / "state" / "shipper" / "ledger").as_uri()


def test_by_url_the_platforms_record_gives_name_settings_and_ledger(laptop: Laptop) -> None:
    for text in ("one", "two"):
        assert isinstance(laptop.release(text), Deployment)
    laptop.forget_places()
    shown = laptop.run("status", "--service", "shop", "-t", "memory://elsewhere", "--json").shown
    assert (shown["target"], shown["number"], shown["ledger"]["highest"]) == ("here", 2, 2)
    assert laptop.run("rollback", "--service", "shop", "-t", "memory://").code == 0
    assert laptop.answer() == "one"


def test_a_place_that_nobody_knows_is_a_mistake_with_a_next_step(laptop: Laptop) -> None:
    ended = laptop.run("rollback", "--service", "nobody")
    assert ended.code == 2, ended
    assert 'where "nobody" in dev runs is not known on this machine' in ended.err
    assert "-t" in ended.err


def test_neither_a_configuration_nor_a_name_says_how_to_name_it(laptop: Laptop) -> None:
    ended = laptop.run("rollback")
    assert ended.code == 2, ended
    assert "--service NAME" in ended.err


@pytest.mark.parametrize("name", ["No/Such", "../../etc", "", "x" * 41])
def test_a_name_that_is_none_never_becomes_a_path(laptop: Laptop, name: str) -> None:
    ended = laptop.run("status", "--service", name)
    assert ended.code == 2, ended
    assert "no valid name" in ended.err


def test_a_kept_place_that_cannot_be_read_is_passed_over(laptop: Laptop) -> None:
    laptop.release("one")
    (kept,) = (laptop.home / "data").rglob("*.json")
    kept.with_name("broken.json").write_text("{")
    assert laptop.run("status", "--service", "shop").code == 0


def test_several_places_are_a_question_and_one_name_answers_it(laptop: Laptop) -> None:
    laptop.release("one")
    laptop.release("one", {"targets": {"here": None, "there": {"kind": "memory", "room": "second"}}})
    ended = laptop.run("status", "--service", "shop")
    assert ended.code == 2, ended
    assert "there" in ended.err
    assert laptop.run("status", "--service", "shop", "-t", "there", "--json").shown["target"] == "there"


def test_in_a_repository_of_another_service_the_named_one_is_meant(laptop: Laptop) -> None:
    laptop.release("one")
    other = laptop.empty / "other"
    other.mkdir()
    (other / "shipper.toml").write_text('service = "other"\n')
    ended = laptop.run("status", "--service", "shop", "--json", cwd=other)
    assert ended.code == 0, ended
    assert ended.shown["number"] == 1
    assert laptop.run("status", "--service", "shop", "-C", str(other)).code == 2


def test_the_ledger_is_the_one_that_was_named_then_the_configured_one(laptop: Laptop) -> None:
    configured, named = (laptop.home / "configured").as_uri(), (laptop.home / "named").as_uri()
    assert isinstance(laptop.release("one", {"ledger": {"url": configured}}), Deployment)
    assert laptop.run("status", "--service", "shop", "--json").shown["ledger"]["url"] == configured
    shown = laptop.run("status", "--service", "shop", "--ledger", named, "--json").shown
    assert (shown["ledger"]["url"], shown["ledger"]["highest"]) == (named, 0)


def test_the_file_of_another_service_is_passed_over_whatever_is_in_it(laptop: Laptop) -> None:
    laptop.release("one")
    (laptop.empty / "shipper.toml").write_text('service = "other"\nnonsense = 1\n')
    assert laptop.run("status", "--service", "shop").code == 0


@pytest.mark.parametrize(("url", "door"), [("memory://", "back"), ("memory://?door=side", "side")])
def test_by_url_the_record_says_how_to_get_there_where_that_is_likely_the_same(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, url: str, door: str
) -> None:
    monkeypatch.chdir(laptop.empty)
    laptop.release("one", {"targets": {"here": {"kind": "memory", "door": "back", "address": "there"}}})
    laptop.forget_places()
    workspace = open_place(Where(directory=None, service="shop", environment="dev", target=url))
    assert workspace.chosen.settings == {"room": "first", "door": door}


def test_what_this_machine_remembers_is_not_replaced_by_what_another_has_recorded(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(laptop.empty)
    laptop.release("one", {"targets": {"here": {"kind": "memory", "door": "back"}}})
    (kept,) = (laptop.home / "data").rglob("*.json")
    kept.write_text(kept.read_text().replace('"back"', '"side"'))
    workspace = open_place(Where(directory=None, service="shop", environment="dev", target="here"))
    assert workspace.chosen.settings["door"] == "side"


def test_a_ledger_that_knows_the_target_elsewhere_is_not_gone_on_with(laptop: Laptop) -> None:
    assert isinstance(laptop.release("one", {"targets": {"here": {"room": "first"}}}), Deployment)
    moved = laptop.release("two", {"targets": {"here": {"room": "second"}}})
    assert isinstance(moved, UsageError)
    assert "#1 serves in memory, room first, and this is memory, room second" in moved.message
    assert laptop.answer() == "one"

    assert isinstance(laptop.release("three", {"targets": {"here": {"room": "first"}}}), Deployment)
    laptop.configure({"targets": {"here": {"room": "second"}}})
    laptop.kind.platforms[("second", "shop", "dev")].image("good", "three")  # a registry has it for both
    back = laptop.run("rollback", cwd=laptop.project)
    assert (back.code, 'knows "here" as another place' in back.err) == (2, True), back
    assert laptop.answer() == "three"
    assert laptop.run("remove", "--service", "shop", "-t", "memory://", "--yes").code == 0


def test_in_the_repository_too_a_url_means_the_place_with_its_own_settings(laptop: Laptop) -> None:
    second = {"targets": {"here": {"kind": "memory", "room": "second", "address": "there"}}}
    laptop.release("one", second)
    laptop.configure({"targets": {"here": {"kind": "memory"}, "other": {"kind": "memory"}}})
    laptop.kind.platforms[("first", "shop", "dev")] = laptop.kind.platforms[("second", "shop", "dev")]
    workspace = open_workspace(Where(directory=laptop.project, target="memory://elsewhere"))
    assert workspace.chosen.name == "here"
    assert workspace.chosen.settings == {"room": "second", "address": "elsewhere"}
