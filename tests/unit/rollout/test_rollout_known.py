"""What is known when ledger, stamp or platform are lost, and the line that says how to go back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shipper.errors import Transient, UnreachableError
from shipper.model import short
from shipper.model.quantities import show_duration
from shipper.rollout.known import known
from shipper.rollout.way_back import way_back
from tests.unit.rollout.world import Told, Unreachable, World, failing, new_ledger, replacing_world, splitting_world

pytestmark = pytest.mark.unit


def released(world: World) -> World:
    """one, two verified; three failed; then back to one."""
    world.release("one")
    world.release("two")
    with pytest.raises(Exception, match="exited"):
        world.release("three", "crash-loop")
    return world


def told_of(world: World) -> list[str]:
    told = Told()
    known(world.target(), world.ledger, told)
    return told.remarks


def line(world: World) -> str:
    return way_back(world.target(), world.known, world.observation, world.clock.now())


def numbers(world: World) -> list[tuple[int, str | None, bool]]:
    return [(release.number, release.outcome, release.verified) for release in world.known.releases]


def test_both_sides_make_one_account(world: World) -> None:
    assert numbers(released(world)) == [(1, "verified", True), (2, "verified", True), (3, "failed", False)]
    assert told_of(world) == []


@pytest.mark.parametrize("lost", ["unreachable", "empty"])
def test_without_the_ledger_the_platforms_own_records_suffice(world: World, lost: str) -> None:
    released(world)
    world.ledger = Unreachable(world.ledger) if lost == "unreachable" else new_ledger()
    assert numbers(world)[:2] == [(1, None, True), (2, None, True)]
    assert "history from the platform's own records" in told_of(world)[0]
    assert line(world).startswith("ready -> #1 ")


def test_without_the_stamp_the_ledger_knows_what_was_verified(world: World) -> None:
    released(world)
    world.place.lose_stamp()
    assert numbers(world)[:2] == [(1, "verified", True), (2, "verified", True)]
    assert told_of(world) == ["the stamp on the platform is lost: what was verified is known from the ledger alone"]
    assert line(world).startswith("ready -> #1 ")


def test_without_both_nothing_is_known_to_be_good_but_a_release_can_be_named(world: World) -> None:
    released(world)
    world.place.lose_stamp()
    world.ledger = new_ledger()
    assert not any(release.verified for release in world.known.releases)
    assert "ledger and stamp are lost" in line(world)
    assert world.rollback("#1").rollback_to == 1
    assert world.serves == {"one": 100}


def test_without_the_platform_the_ledger_alone_has_the_history(world: World) -> None:
    released(world)
    world.around = failing("observe", Transient("no route to host"))
    told = Told()
    found = known(world.target(), world.ledger, told)
    assert [release.number for release in found.releases] == [1, 2, 3]
    assert told.remarks == [
        "the platform does not answer (no route to host): what follows is the ledger's account alone"
    ]


def test_without_either_there_is_nothing_to_say(world: World) -> None:
    released(world)
    world.around = failing("observe", Transient("no route to host"))
    with pytest.raises(UnreachableError, match="no route to host"):
        known(world.target(), Unreachable(world.ledger), Told())


def test_after_a_rollback_the_new_number_serves_for_the_old_revision(world: World) -> None:
    released(world)
    deployment = world.rollback()
    assert (deployment.number, deployment.rollback_to, deployment.revision) == (4, 1, "web-1")
    main = world.observation.main
    assert main is not None
    serving = world.known.serving(main)
    assert serving is not None
    assert serving.name == "#4 (rollback to #1)"
    assert world.memory.stamp.verified == (2, 1, 4)


def test_a_record_that_only_the_ledger_has_is_found(world: World) -> None:
    released(world)
    record = world.target().records()[0]
    world.place.lose_revision("web-1")
    assert [one.number for one in world.target().records()] != [1, 2, 3]
    assert world.known.release(1) == record
    assert line(world).startswith("ready -> #1 ")


def test_the_whole_history_is_read_when_that_is_asked_for(world: World) -> None:
    for number in range(45):
        world.release(f"text {number}")
    assert known(world.target(), world.ledger, Told())[1] is not None
    world.memory.records.clear()
    assert known(world.target(), world.ledger, Told())[1] is None
    assert known(world.target(), world.ledger, Told(), whole=True)[1] is not None


# The line.


def test_a_running_revision_is_about_three_seconds_away(world: World) -> None:
    world.release("one")
    world.clock.time += 7200
    world.release("two")
    world.clock.time += 86400
    alone = known(world.target(), None, Told())  # the ledger has times of its own clock
    found = way_back(world.target(), alone, world.observation, world.clock.now())
    assert found == "ready -> #1 (1 d old, healthy for 2 h), about 3 s, warm"


def test_one_that_has_to_start_takes_as_long_as_it_did(world: World) -> None:
    world.sets(rollback={"keep": "none"})
    world.release("one")
    world.release("two")
    assert "warm" not in line(world)
    assert line(world).endswith(", about 0.0 s: it has to start")


def has_taken(world: World, seconds: dict[int, float]) -> str:
    """The line, where each of these releases took so long from its claim to its proof."""
    found = world.known
    took = [replace(one, finished=one.created + seconds.get(one.number, 0.6)) for one in found.releases]
    return way_back(world.target(), replace(found, releases=tuple(took)), world.observation, world.clock.now())


def test_a_command_that_a_rollback_does_not_run_is_no_part_of_its_time(world: World) -> None:
    world.sets(rollback={"keep": "none"}, rollout={"before": ["exit", "0"]}, health={"startup": 40})
    world.release("one")
    world.release("two")
    assert has_taken(world, {1: 123.0}).endswith("at most 40.0 s until it is ready")


@pytest.mark.parametrize(("strategy", "took"), [("all-at-once", 72.0), ("blue-green", 62.0), ("canary", 42.0)])
def test_a_rollback_does_not_bake(world: World, strategy: str, took: float) -> None:
    world.sets(rollback={"keep": "none"}, rollout={"strategy": strategy, "bake": 10, "steps": [10, 50, 90]})
    world.release("one")
    world.release("two")
    world.release("three")
    assert has_taken(world, {2: 72.0}).endswith(f", about {show_duration(took)}: it has to start")


def test_nor_is_the_judgement_of_a_gates_command_part_of_it() -> None:
    gate = {"error_rate": None, "command": ["true"]}
    for strategy, told in (("all-at-once", "about 1 min 12 s"), ("blue-green", "at most ")):
        here = splitting_world()
        here.sets(rollback={"keep": "none"}, rollout={"strategy": strategy, "bake": 1, "gate": gate})
        here.release("one")
        here.release("two")
        assert told in has_taken(here, {1: 72.0})


def test_a_canary_that_had_nothing_beside_it_has_not_baked(world: World) -> None:
    world.sets(rollback={"keep": "none"}, rollout={"strategy": "canary", "bake": 60, "steps": [10, 50]})
    world.release("one")
    world.release("two")
    assert has_taken(world, {1: 5.0}).endswith(", about 5.0 s: it has to start")


def test_how_long_it_took_is_known_from_the_ledger_where_the_platform_keeps_a_rollbacks_record_alone() -> None:
    world = replacing_world()
    for text in ("one", "two"):
        world.release(text)
    world.rollback()
    world.release("three")
    kept = world.memory.records
    del kept[next(iter(kept))]
    assert has_taken(world, {1: 12.0}).endswith(", about 12.0 s: it has to start")
    alone = known(world.target(), Unreachable(world.ledger, 1), Told())
    assert way_back(world.target(), alone, world.observation, world.clock.now()).endswith(" until it is ready")


def test_it_is_told_under_which_number_its_revision_is_found() -> None:
    world = replacing_world()
    world.release("one")
    world.clock.time += 7200
    world.release("two")
    world.rollback()
    world.release("three")
    alone = known(world.target(), None, Told())
    found = way_back(world.target(), alone, world.observation, world.clock.now())
    assert found.startswith("ready -> #1 (now as #3, 2 h old, healthy for 1 min)"), found


def test_how_long_a_start_takes_is_not_told_by_a_rollback_that_needed_none(world: World) -> None:
    world.release("one")
    world.release("two")
    world.rollback()
    world.sets(rollback={"keep": "none"})
    world.release("three")
    told = has_taken(world, {1: 12.0})
    assert told.endswith("about 12.0 s: it has to start")


def test_releases_are_named_by_the_digits_of_a_quarantine(world: World) -> None:
    first, second = world.release("one"), world.release("two")
    world.rollback()
    found = world.known
    assert found.whose(short(first.fingerprint)) == "#1, #3"
    assert found.whose(short(second.fingerprint)) == "#2"
    assert found.whose(short(found.releases[0].image)) == "image of #1, #3"
    assert found.whose("0123456789ab") == ""


def test_what_is_gone_is_told(world: World) -> None:
    world.sets(rollback={"keep": "none"})
    world.release("one")
    world.release("two")
    world.place.lose_image(world.place.image("good", "one"))
    assert line(world).startswith("not possible: #1 cannot come back: the image ")


def test_nothing_earlier_is_told(world: World) -> None:
    world.release("one")
    assert line(world) == "not possible: there is no earlier verified release to go back to"


def test_a_platform_that_does_not_answer_fails_nobody(world: World) -> None:
    world.sets(rollback={"keep": "none"})
    world.release("one")
    world.release("two")
    found, observation = world.known, world.observation
    world.around = failing("restorable", Transient("no answer"))
    assert way_back(world.target(), found, observation, world.clock.now()) == "not possible: no answer"


def test_the_adopted_one_needs_only_traffic(world: World) -> None:
    place: Any = world.place
    place.adopt("foreign")
    world.release("one")
    assert line(world).startswith("ready -> #0 (healthy for ")
    assert line(world).endswith("), about 3 s, warm")
