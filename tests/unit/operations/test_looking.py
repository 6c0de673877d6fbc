"""status, history and verify, as they are shown."""

from __future__ import annotations

import pytest

from shipper.ledger.holders import this_process
from shipper.model import Deployment, Started, new_release_id
from shipper.operations.ledgers import ledger_of
from shipper.operations.where import Where
from shipper.operations.workspace import open_workspace
from shipper.targets.conformance.memory import FOREIGN, Held
from tests.unit.operations.imaginary import Laptop

pytestmark = pytest.mark.unit


@pytest.fixture
def back(laptop: Laptop) -> Laptop:
    """Two releases, and a rollback to the first."""
    for text in ("one", "two"):
        assert isinstance(laptop.release(text), Deployment)
    assert laptop.run("rollback", "--service", "shop", "--reason", "two is slow").code == 0
    return laptop


def test_status_names_the_release_that_was_brought_back(back: Laptop) -> None:
    said = back.run("status", "--service", "shop").out
    assert "serves       #3 (rollback to #1), shop-1, 100 % of the traffic" in said
    assert "proof        identity, verified" in said
    assert "stamp        up to #3" in said
    assert "quarantined  #2 (" in said
    assert said.rstrip().splitlines()[-1].startswith("rollback: not possible: there is no earlier verified release")


def test_history_has_everything_that_a_reader_asks(back: Laptop) -> None:
    said = back.run("history", "--service", "shop").out
    assert "#3 (rollback to #1): two is slow" in said
    assert said.index("#3") < said.index("#2 ")
    lines = back.run("history", "--service", "shop", "--json").shown["releases"]
    assert [(line["number"], line["outcome"], line["proof"]) for line in lines] == [
        (3, "verified", "identity"),
        (2, "verified", "identity"),
        (1, "verified", "identity"),
    ]
    assert [line["serves"] for line in lines] == [True, False, False]
    assert all(line["served"] is not None and "@" in line["who"] for line in lines)


def test_history_is_read_no_further_than_asked(back: Laptop) -> None:
    lines = back.run("history", "--service", "shop", "--limit", "1", "--json").shown["releases"]
    assert [line["number"] for line in lines] == [3]


def test_verify_proves_what_serves(back: Laptop) -> None:
    ended = back.run("verify", "--service", "shop")
    assert ended.code == 0, ended
    assert "#3 (rollback to #1) serves" in ended.out
    assert "proof: identity" in ended.out


def test_verify_ends_22_when_what_serves_is_not_well(back: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipper.rollout.verify.PATIENCE", 0.1)
    back.memory.held["shop-1"].kind = "never-ready"
    ended = back.run("verify", "--service", "shop", "--json")
    assert ended.code == 22, ended
    assert not ended.shown["verdict"]["ok"]


def test_verify_ends_22_when_nothing_serves(laptop: Laptop) -> None:
    ended = laptop.run("verify", "-C", str(laptop.project))
    assert ended.code == 22, ended
    assert "nothing serves" in ended.err
    assert "shipper release" in ended.err


def test_what_serves_is_judged_by_its_own_requests_and_not_by_those_of_today(laptop: Laptop) -> None:
    golden = [{"name": "text", "path": "/", "expect": {"contains": "one"}}]
    assert isinstance(laptop.release("one", {"smoke": {"requests": golden}}), Deployment)
    golden = [{"name": "text", "path": "/", "expect": {"contains": "two"}}]
    laptop.configure({"smoke": {"requests": golden}})
    assert laptop.run("verify", "-C", str(laptop.project)).code == 0


def test_a_release_whose_run_died_is_shown_and_settled(back: Laptop) -> None:
    ledger = ledger_of(open_workspace(Where(directory=back.project)))
    record = next(iter(back.memory.records.values())).model_copy(update={"number": 4, "id": new_release_id()})
    by = this_process(new_release_id(), "release")
    ledger.append(lambda _: Started(release=record, by=by), run=by.run, epoch=9)
    assert "started      #4 was begun by" in back.run("status", "--service", "shop").out
    ended = back.run("status", "--service", "shop", "--repair")
    assert ended.code == 0, ended
    assert "#4 was begun and its run died: recorded as abandoned" in ended.err
    assert "started  " not in back.run("status", "--service", "shop").out


def test_json_everywhere_is_one_object_with_a_schema(back: Laptop) -> None:
    for words in (("status",), ("history",), ("verify",), ("rollback", "--dry-run", "--to", "#2"), ("gc", "--plan")):
        ended = back.run(*words, "--service", "shop", "--json")
        assert (ended.shown["schema"], ended.shown["service"]) == (1, "shop"), (words, ended)


@pytest.mark.parametrize(
    ("rollout", "code", "said"),
    [
        ({}, 0, "rollout: all-at-once"),
        ({"strategy": "canary"}, 0, "rollout: canary"),
        ({"strategy": "rolling"}, 2, 'rollout.strategy: this target cannot roll out "rolling"'),
    ],
)
def test_a_plan_names_the_rollout_and_refuses_one_that_the_target_cannot_do(
    laptop: Laptop, rollout: dict[str, str], code: int, said: str
) -> None:
    laptop.configure({"rollout": rollout, "image": {"repository": "registry.example.com/shop"}})
    ended = laptop.run("plan", "-C", str(laptop.project))
    assert ended.code == code, ended
    assert said in ended.out + ended.err


def test_the_doctor_looks_at_the_ledger(laptop: Laptop) -> None:
    laptop.release("one")
    checks = laptop.run("doctor", "-C", str(laptop.project), "--json").shown["checks"]
    (ledger,) = [check for check in checks if check["name"] == "ledger"]
    assert ledger["state"] == "ok"
    assert "up to #1, whose lease covers this machine only" in ledger["found"]
    laptop.break_ledger()
    checks = laptop.run("doctor", "-C", str(laptop.project), "--json").shown["checks"]
    assert [check["state"] for check in checks if check["name"] == "ledger"] == ["failed"]


def test_after_a_rollback_to_what_served_before_shipper_everything_goes_on(laptop: Laptop) -> None:
    assert laptop.run("status", "-C", str(laptop.project)).code == 0
    laptop.memory.held[FOREIGN] = Held(FOREIGN, None, "good", "theirs")
    laptop.memory.set_weights({FOREIGN: 100})
    assert isinstance(laptop.release("one"), Deployment)
    assert laptop.run("rollback", "--service", "shop").code == 0
    said = laptop.run("status", "--service", "shop").out
    assert "serves       #2 (rollback to #0), foreign, 100 % of the traffic" in said
    assert "proof        routing, verified" in said
    assert "not possible: there is no earlier" in said
    assert laptop.run("verify", "--service", "shop").code == 0
    lines = laptop.run("history", "--service", "shop", "--json").shown["releases"]
    assert [(line["number"], line["serves"]) for line in lines] == [(2, True), (1, False)]
    assert laptop.run("status", "--service", "shop", "--repair").code == 0
    assert laptop.run("gc", "--service", "shop", "--plan").code == 0
    assert isinstance(laptop.release("two"), Deployment)
    planned = laptop.run("rollback", "--service", "shop", "--dry-run")
    assert "would go back from #3 (shop-3) to #0" in planned.out
    assert laptop.run("rollback", "--service", "shop").code == 0
    assert laptop.answer() == "theirs"
    assert (
        "would go back from #4 (rollback to #0, foreign) to #3"
        in laptop.run("rollback", "--service", "shop", "--to", "#3", "--dry-run").out
    )
