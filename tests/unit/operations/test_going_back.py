"""`shipper rollback` from an empty directory, as a person sees it."""

from __future__ import annotations

import pytest

from shipper.model import Change, Deployment, ImageRef, Observation, Release, Settings
from shipper.operations.differences import as_counted, differences
from shipper.targets import Transient, change_of
from shipper.targets.conformance.memory_splits import SplittingTarget
from tests.unit.operations.imaginary import Laptop

pytestmark = pytest.mark.unit


def released(laptop: Laptop, *texts: str) -> None:
    for text in texts:
        assert isinstance(laptop.release(text), Deployment)


def test_the_release_before_comes_back_by_the_name_of_the_service_alone(laptop: Laptop) -> None:
    released(laptop, "one", "two")
    ended = laptop.run("rollback", "--service", "shop", "--json", "--reason", "two is slow")
    assert ended.code == 0, ended
    assert laptop.answer() == "one"
    serves = ended.finished["serves"]
    assert (serves["number"], serves["rollback_to"], serves["proof"]) == (3, 1, "identity")
    assert ended.finished["message"] == "release 3 serves (rollback to #1)"


def test_image_configuration_and_secret_values_of_then_come_back_together(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"run": {"env": {"LEVEL": "low"}, "secrets": {"TOKEN": "env:SHOP_TOKEN"}}, "rollback": {"keep": "none"}}
    monkeypatch.setenv("SHOP_TOKEN", "first")
    assert isinstance(laptop.release("one", secrets), Deployment)
    monkeypatch.setenv("SHOP_TOKEN", "second")
    secrets["run"] = {"env": {"LEVEL": "high"}, "secrets": {"TOKEN": "env:SHOP_TOKEN"}}
    assert isinstance(laptop.release("two", secrets), Deployment)
    monkeypatch.delenv("SHOP_TOKEN")
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 0, ended
    assert laptop.answer() == "one"
    assert laptop.memory.ask("/env/LEVEL").body == b"low"
    assert laptop.memory.ask("/secrets/TOKEN").body == b"first"


def test_with_current_secrets_the_old_image_gets_the_values_of_now(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"run": {"secrets": {"TOKEN": "env:SHOP_TOKEN"}}}
    for value, text in (("first", "one"), ("second", "two")):
        monkeypatch.setenv("SHOP_TOKEN", value)
        assert isinstance(laptop.release(text, settings), Deployment)
    monkeypatch.delenv("SHOP_TOKEN")
    ended = laptop.run("rollback", "--service", "shop", "--secrets", "current", "--json")
    assert ended.code == 0, ended
    assert (laptop.answer(), laptop.memory.ask("/secrets/TOKEN").body) == ("one", b"second")


def test_secret_values_that_are_gone_are_23_and_say_what_to_pass(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"run": {"secrets": {"TOKEN": "env:SHOP_TOKEN"}}, "rollback": {"keep": "none"}}
    for value, text in (("first", "one"), ("second", "two")):
        monkeypatch.setenv("SHOP_TOKEN", value)
        assert isinstance(laptop.release(text, settings), Deployment)
    then = laptop.memory.records[next(iter(laptop.memory.records))]
    del laptop.memory.secrets[next(iter(then.secret_versions.items()))]
    monkeypatch.delenv("SHOP_TOKEN")
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 23, ended
    assert "pass --secrets current" in ended.finished["message"]
    assert laptop.answer() == "two"
    assert laptop.run("rollback", "--service", "shop", "--secrets", "current").code == 0
    assert laptop.answer() == "one"


def test_an_image_that_is_gone_is_23_and_nothing_is_written(laptop: Laptop) -> None:
    keep_none = {"rollback": {"keep": "none"}}
    for text in ("one", "two"):
        assert isinstance(laptop.release(text, keep_none), Deployment)
    laptop.memory.images.pop(laptop.memory.image("good", "one").config_digest)
    version = laptop.memory.version
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 23, ended
    assert "#1 cannot come back: the image" in ended.finished["message"]
    assert (laptop.answer(), laptop.memory.version) == ("two", version)


def test_nothing_earlier_is_23_with_the_reason_for_each_candidate(laptop: Laptop) -> None:
    released(laptop, "one")
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 23, ended
    assert ended.finished["details"] == ["#1: it is what serves"]


def test_going_back_twice_does_not_oscillate(laptop: Laptop) -> None:
    released(laptop, "a", "b", "c")
    answers = []
    codes = []
    for _ in range(3):
        codes.append(laptop.run("rollback", "--service", "shop").code)
        answers.append(laptop.answer())
    assert (codes, answers) == ([0, 0, 23], ["b", "a", "a"])


def test_five_failed_releases_in_a_row_leave_the_last_verified_one_as_the_way_back(laptop: Laptop) -> None:
    released(laptop, "one", "two")
    for number in range(5):
        failed = laptop.release(f"bad {number}", image="crash-loop")
        assert getattr(failed, "exit_code", 0) == 20, failed
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 0, ended
    assert laptop.answer() == "one"
    assert ended.finished["serves"]["number"] == 8


def test_a_dry_run_shows_what_would_change_and_writes_nothing(laptop: Laptop) -> None:
    assert isinstance(laptop.release("one", {"run": {"env": {"LEVEL": "low", "API_KEY": "x"}}}), Deployment)
    assert isinstance(laptop.release("two", {"run": {"env": {"LEVEL": "high", "API_KEY": "y"}}}), Deployment)
    version = laptop.memory.version
    ended = laptop.run("rollback", "--service", "shop", "--dry-run")
    assert ended.code == 0, ended
    assert "would go back from #2 (shop-2) to #1" in ended.out
    assert "run.env.LEVEL: high -> low" in ended.out
    assert "would be quarantined: #2 (" in ended.out
    assert "run.env.API_KEY: (not shown)" in ended.out
    assert "it is warm" in ended.out
    assert (laptop.memory.version, laptop.answer()) == (version, "two")
    shown = laptop.run("rollback", "--service", "shop", "--dry-run", "--json").shown
    assert (shown["to"], shown["warm"], shown["nothing"]) == ("#1", True, False)


@pytest.mark.parametrize("to", ["#1", "#3"])
def test_a_dry_run_shows_no_number_of_instances_that_stays_as_it_is(laptop: Laptop, to: str) -> None:
    """A rollback records how many there were, so that it has no fewer."""
    released(laptop, "good", "bad")
    laptop.run("rollback", "--service", "shop")
    released(laptop, "newer")
    ended = laptop.run("rollback", "--service", "shop", "--to", to, "--dry-run")
    assert ended.code == 0
    assert "scale" not in ended.out


@pytest.mark.parametrize(
    ("now", "then", "there", "warm", "owner", "differs"),
    [
        (None, 1, 1, False, "shipper", False),
        (None, 3, 3, False, "shipper", False),
        (None, 1, 3, False, "shipper", False),  # a rollback has no fewer than serve
        (None, 4, 3, False, "shipper", True),
        (3, None, 3, True, "shipper", True),
        (3, None, 3, False, "shipper", False),
        (1, None, 1, True, "shipper", False),
        (None, 2, 3, False, "hpa shop", True),
        (None, 2, None, False, "shipper", True),
    ],
)
def test_a_smallest_number_differs_where_another_number_would_run(
    now: int | None, then: int | None, there: int | None, warm: bool, owner: str, differs: bool
) -> None:
    image = ImageRef(config_digest="sha256:" + "0" * 64, reference="shop", platform="linux/amd64")

    def with_least(least: int | None) -> Release:
        settings = Settings.model_validate({"service": {"service": "shop", "root": "/"}, "scale": {"min": least}})
        return Release(
            id="1", number=1, fingerprint="", images={"main": image}, settings=settings, target="t", created=0.0
        )

    observation = Observation(seen="", capacity=there, capacity_owner=owner)
    found = as_counted(with_least(then), with_least(now), observation, warm=warm)
    assert [one.subject for one in differences(with_least(now), found, {})] == (["scale.min"] if differs else [])


def test_a_dry_run_shows_what_the_target_alone_knows_to_come_back(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_both(_: object, now: Release, then: Release) -> list[Change]:
        return [change_of("ConfigMap/shop data.greeting", f"of #{now.number}", f"of #{then.number}")]

    released(laptop, "one", "two")
    monkeypatch.setattr(SplittingTarget, "differences", of_both, raising=False)
    ended = laptop.run("rollback", "--service", "shop", "--dry-run")
    assert ended.code == 0, ended
    assert "ConfigMap/shop data.greeting: of #2 -> of #1" in ended.out


def test_where_the_target_does_not_answer_for_them_a_dry_run_is_33(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> list[Change]:
        raise Transient("connection reset")

    released(laptop, "one", "two")
    monkeypatch.setattr(SplittingTarget, "differences", silent, raising=False)
    assert laptop.run("rollback", "--service", "shop", "--dry-run").code == 33


def test_asked_for_what_serves_there_is_nothing_to_do_and_it_says_so(laptop: Laptop) -> None:
    released(laptop, "one", "two")
    ended = laptop.run("rollback", "--service", "shop", "--to", "#2", "--json")
    assert (ended.code, ended.finished["cause"]) == (0, "nothing-to-do")
    assert "which is what was asked for" in ended.finished["message"]


@pytest.mark.parametrize(("to", "code"), [("#9", 23), ("nonsense", 2), ("520 weeks ago", 23), ("#0", 23)])
def test_what_cannot_be_meant_is_refused_before_anything_is_written(laptop: Laptop, to: str, code: int) -> None:
    released(laptop, "one", "two")
    ended = laptop.run("rollback", "--service", "shop", "--to", to)
    assert ended.code == code, ended
    assert laptop.answer() == "two"


def test_what_is_left_is_named_as_status_names_it(laptop: Laptop) -> None:
    released(laptop, "one", "two", "three")
    assert laptop.run("rollback", "--service", "shop").code == 0
    ended = laptop.run("rollback", "--service", "shop", "--dry-run")
    assert "would go back from #4 (rollback to #2, shop-2) to #1" in ended.out
    assert "would be quarantined: #2, #4 (" in ended.out
    ended = laptop.run("rollback", "--service", "shop", "--to", "#3", "--dry-run")
    assert "would be out of quarantine: #3 (" in ended.out


def test_a_bad_environment_value_quarantines_that_release_and_not_its_image(laptop: Laptop) -> None:
    assert isinstance(laptop.release("same", {"run": {"env": {"LEVEL": "good"}}}), Deployment)
    assert isinstance(laptop.release("same", {"run": {"env": {"LEVEL": "bad"}}}), Deployment)
    assert laptop.run("rollback", "--service", "shop").code == 0
    again = laptop.release("same", {"run": {"env": {"LEVEL": "bad"}}})
    assert (getattr(again, "exit_code", 0), getattr(again, "cause", "")) == (16, "quarantined")
    assert isinstance(laptop.release("same", {"run": {"env": {"LEVEL": "mended"}}}), Deployment)


def test_with_its_image_quarantined_no_configuration_of_it_comes_back(laptop: Laptop) -> None:
    assert isinstance(laptop.release("good"), Deployment)
    assert isinstance(laptop.release("bad", {"run": {"env": {"LEVEL": "1"}}}), Deployment)
    assert laptop.run("rollback", "--service", "shop", "--quarantine-image").code == 0
    again = laptop.release("bad", {"run": {"env": {"LEVEL": "2"}}})
    assert (getattr(again, "exit_code", 0), getattr(again, "cause", "")) == (16, "quarantined")


def test_drift_is_shown_and_taken_over(laptop: Laptop) -> None:
    released(laptop, "one", "two")
    laptop.memory.drifted = "shop-2"
    laptop.memory.version += 1
    ended = laptop.run("rollback", "--service", "shop")
    assert ended.code == 0, ended
    assert "changed by hand, and taken over by this rollback" in ended.err
    assert laptop.answer() == "one"
