"""Going back after going back, over what served before shipper, without a ledger, and by making room."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import LedgerError, NotRecorded, PutBack, RollbackImpossible, RolloutFailed
from shipper.model import Revision, Wanted, fingerprint_of, short
from shipper.rollout.known import Known
from shipper.rollout.way_back import way_back
from shipper.stages.select import deployable_of, look_back, select
from shipper.targets.conformance.memory import FOREIGN, Held
from shipper.targets.conformance.memory_replaces import ReplacingTarget
from tests.unit.rollout.test_rollback_choice import chosen, hashed, made, refused, revision, seen
from tests.unit.rollout.world import Told, Unreachable, World

pytestmark = pytest.mark.unit

FOREIGN_ONE = Revision(name="old", release=None, number=0)


class Killed(BaseException):
    """The end of a run's process."""


def killed_after(name: str) -> Callable[[str, Callable[[], Any]], Any]:
    def around(called: str, call: Callable[[], Any]) -> Any:
        result = call()
        if called == name:
            raise Killed
        return result

    return around


def with_capacity(count: int) -> Callable[[str, Callable[[], Any]], Any]:
    def around(name: str, call: Callable[[], Any]) -> Any:
        found = call()
        return found.model_copy(update={"capacity": count}) if name == "observe" else found

    return around


# The same content keeps its fingerprint.


def test_a_rollback_to_a_scaled_rollback_is_the_same_content_and_goes_further_back_next_time(world: World) -> None:
    world.sets(rollback={"keep": "none"}, scale={"min": 1, "max": 1})
    world.release("zero")
    first = world.release("one")
    world.release("two")
    world.around = with_capacity(4)
    world.rollback()
    world.around = with_capacity(4)
    world.release("three")
    world.around = with_capacity(4)
    again = world.rollback()
    assert (world.serves, again.fingerprint) == ({"one": 100}, first.fingerprint)
    world.around = with_capacity(4)
    assert world.rollback().rollback_to == 1
    assert world.serves == {"zero": 100}


def test_a_release_that_comes_back_with_other_secret_values_is_another_content(world: World) -> None:
    world.sets(run={"secrets": {"TOKEN": "env:TOKEN"}}, rollback={"keep": "none"})
    for value in ("old", "new"):
        world.secrets = {"TOKEN": value}
        world.release(value)
    then = next(record for record in world.target().records() if record.number == 1)
    wanted = Wanted(secrets="current")
    deployable = select(wanted, world.settings, world.target(), world.ledger, Told(), world.clock)
    assert deployable.fingerprint is None
    assert world.roll_out(deployable, "rollback").fingerprint == fingerprint_of(
        then.images, then.settings, deployable.secret_versions or {}
    )


# What served before shipper came.


def test_in_the_first_canary_the_way_back_is_what_served_before_shipper(world: World) -> None:
    world.sets(rollout={"strategy": "canary", "steps": [10], "bake": 5})
    place: Any = world.place
    place.adopt("old")
    world.around = killed_after("shift")
    with pytest.raises(Killed):
        world.release("one")
    assert world.serves == {"old": 90, "one": 10}
    assert world.rollback().rollback_to == 0
    assert world.serves == {"old": 100}


def test_a_rollback_to_it_whose_run_died_is_recorded_by_the_next(world: World) -> None:
    place: Any = world.place
    place.adopt("old")
    world.release("one")
    world.around = killed_after("shift")
    with pytest.raises(Killed):
        world.rollback()
    assert world.rollback().rollback_to == 0
    assert world.serves == {"old": 100}
    found = world.known
    assert found.serving(world.observation.serving[0]) == found.releases[-1]
    assert len(found.quarantined) == 1
    assert found.unrecorded_quarantine == ()


def test_a_release_that_fails_after_a_rollback_to_it_leaves_that_rollback_serving(world: World) -> None:
    place: Any = world.place
    place.adopt("old")
    world.release("one")
    world.rollback()
    with pytest.raises(RolloutFailed):
        world.release("two", "crash-loop")
    assert world.ledger.state().serving == 2
    again = world.rollback("#0")
    assert (again.changed, again.number) == (False, 2)


def test_one_that_was_stopped_cannot_come_back_and_that_is_said(world: World) -> None:
    place: Any = world.place
    place.adopt("old")
    world.release("one")
    world.memory.held[FOREIGN].stopped = True
    world.memory.version += 1
    for to in (None, "#0"):
        with pytest.raises(RollbackImpossible) as caught:
            world.rollback(to)
        told = [caught.value.message, *caught.value.details]
        assert any("foreign is stopped, and has no record to start it from" in text for text in told)
    line = way_back(world.target(), world.known, world.observation, world.clock.now())
    assert line.startswith("not possible: ")


def test_where_applying_moves_the_traffic_it_is_not_offered(replacing: World) -> None:
    memory = replacing.memory
    memory.held[FOREIGN] = Held(FOREIGN, None, "good", "old")
    memory.set_weights({FOREIGN: 100})
    memory.version += 1
    replacing.release("one")
    for to in (None, "#0"):
        with pytest.raises(RollbackImpossible) as caught:
            look_back(Wanted(to=to), replacing.target(), replacing.ledger, Told(), replacing.clock.now())
        told = [caught.value.message, *caught.value.details]
        assert any("foreign has no record to be applied from" in text for text in told)


@pytest.mark.parametrize("kept", [True, False])
def test_what_the_target_keeps_is_promised_by_removal_and_not_by_a_rollback(
    replacing: World, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kept:
        monkeypatch.setattr(ReplacingTarget, "given_back", lambda _: "Deployment web", raising=False)
    memory = replacing.memory
    memory.held[FOREIGN] = Held(FOREIGN, None, "good", "old")
    memory.set_weights({FOREIGN: 100})
    memory.version += 1
    replacing.release("one")
    (note,) = [text for text in replacing.told.remarks if "was here before shipper" in text]
    assert "and the way back" not in note
    assert ("`shipper remove` gives it back" in note) == kept
    del memory.held[FOREIGN]  # it is replaced in place
    line = way_back(replacing.target(), replacing.known, replacing.observation, replacing.clock.now())
    assert line.startswith("not possible: there is no earlier verified release")
    assert ("(#0, Deployment web) comes back by `shipper remove` alone" in line) == kept


def test_but_while_an_operation_is_under_way_ending_it_brings_it_back() -> None:
    known = Known((made(1, "a", "started"),), adopted="old", splits=False)
    old = FOREIGN_ONE.model_copy(update={"weight": 100})
    under_way = seen(old, revision(1, "a")).model_copy(update={"in_flight": "rolling to web-1"})
    choice = chosen(known, under_way)
    assert (choice.number, choice.serves_already, choice.quarantine) == (0, False, (short(hashed("a")),))
    assert chosen(known, under_way, "#0").number == 0


def test_when_it_has_all_of_the_traffic_there_is_nothing_to_go_back_to() -> None:
    old = FOREIGN_ONE.model_copy(update={"weight": 100})
    refused(Known((made(1, "a", "failed"),), adopted="old"), seen(old, revision(1, "a")))


# A rollback without a ledger that was killed.


@pytest.mark.parametrize("back", [False, True], ids=["still without it", "the ledger is back"])
def test_repeated_it_finishes_what_it_had_begun_and_goes_no_further(world: World, back: bool) -> None:
    for text in ("one", "two", "three"):
        world.release(text)
    ledger, world.ledger = world.ledger, Unreachable(world.ledger)
    world.around = killed_after("shift")
    with pytest.raises(Killed):
        world.rollback()
    quarantined = world.memory.stamp.quarantined
    world.ledger = ledger if back else world.ledger
    told = Told()
    found = look_back(Wanted(), world.target(), world.ledger, told, world.clock.now())
    assert (found.choice.number, found.choice.serves_already, found.choice.quarantine) == (2, True, quarantined)
    assert any("a rollback that nobody recorded the end of" in remark for remark in told.remarks)
    with contextlib.suppress(NotRecorded):
        world.roll_out(deployable_of(found, Wanted(), world.settings), "rollback")
    assert (world.serves, world.memory.stamp.quarantined) == ({"two": 100}, quarantined)


def test_repeated_after_it_was_applied_anew_it_is_finished_too(world: World) -> None:
    world.sets(rollback={"keep": "none"})
    for text in ("one", "two", "three"):
        world.release(text)
    world.ledger = Unreachable(world.ledger)
    world.around = killed_after("shift")
    with pytest.raises(Killed):
        world.rollback()
    with pytest.raises(NotRecorded, match="#4 serves"):
        world.rollback()
    assert world.serves == {"two": 100}
    assert world.memory.stamp.verified[-1] == 4


@pytest.mark.parametrize("back", [False, True], ids=["still without it", "the ledger is back"])
def test_finished_it_counts_and_the_next_one_goes_further_back(world: World, back: bool) -> None:
    for text in ("one", "two", "three"):
        world.release(text)
    ledger, world.ledger = world.ledger, Unreachable(world.ledger)
    world.around = killed_after("shift")
    with pytest.raises(Killed):
        world.rollback()
    world.ledger = ledger if back else world.ledger
    for serves in ("two", "one"):
        with contextlib.suppress(NotRecorded):
            world.rollback()
        assert world.serves == {serves: 100}


def test_one_that_ended_well_is_followed_by_one_that_goes_further_back(world: World) -> None:
    for text in ("one", "two", "three"):
        world.release(text)
    world.ledger = Unreachable(world.ledger)
    for serves in ("two", "one"):
        with pytest.raises(NotRecorded):
            world.rollback()
        assert world.serves == {serves: 100}


def test_what_was_left_in_the_middle_of_a_canary_is_left_for_good() -> None:
    bad = short(hashed("c"))
    releases = (made(1, "a", None, verified=True), made(2, "b", None, verified=True), made(3, "c", None))
    died = Known(releases, (bad,), (bad,), verified=(1, 2), missing=("ledger",))
    serving = seen(revision(1, "a"), revision(2, "b", 100), revision(3, "c"))
    assert chosen(died, serving).number == 2
    ended = Known(releases, (bad,), (bad,), verified=(1, 2, 4), missing=("ledger",))
    assert chosen(ended, serving).number == 1


def test_where_the_ledger_knows_of_something_newer_it_decides() -> None:
    bad = short(hashed("c"))
    releases = (made(1, "a"), made(2, "b"), made(3, "c"), made(4, "b", "not-put-back", rollback_to=2))
    known = Known(releases, (bad,), (bad,), verified=(1, 2, 3))
    assert chosen(known, seen(revision(1, "a"), revision(2, "b", 100), revision(3, "c"))).number == 1


# The image that is to be quarantined.


def test_the_image_that_comes_back_is_not_quarantined() -> None:
    image = hashed("one image")
    known = Known((made(1, "a", image=image), made(2, "b", image=image)))
    serving = revision(2, "b", 100).model_copy(update={"image": image})
    choice = chosen(known, seen(serving), "#1", quarantine_image=True)
    assert choice.quarantine == (short(hashed("b")),)
    assert choice.remarks == ("#1 runs the same image as what serves: the image is not quarantined",)


def test_where_the_platform_does_not_know_its_image_the_ledgers_counts() -> None:
    image = hashed("bad image")
    known = Known((made(1, "a"), made(2, "b", image=image), made(3, "c", image=image)))
    serving = revision(3, "c", 100).model_copy(update={"image": ""})
    choice = chosen(known, seen(serving), quarantine_image=True)
    assert (choice.number, choice.quarantine) == (1, (short(hashed("c")), short(image)))


def test_images_that_nobody_knows_are_not_the_same_one() -> None:
    known = Known((made(1, "a", image=""), made(2, "b", image="")))
    serving = revision(2, "b", 100).model_copy(update={"image": ""})
    choice = chosen(known, seen(serving), quarantine_image=True)
    assert (choice.number, choice.quarantine) == (1, (short(hashed("b")),))


# A record that is not needed.


class WithoutRecords:
    """A ledger whose entries are of a newer shipper: what they say of a whole release is not understood."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == "release" else getattr(self._inner, name)

    def _refuse(self, *_: Any) -> Any:
        raise LedgerError("the entry has a field that this shipper does not know", hint="upgrade shipper")


def without_the_record_of_what_serves(world: World) -> World:
    for record in [found for found in world.memory.records.values() if found.number == 2]:
        del world.memory.records[record.id]
    world.ledger = WithoutRecords(world.ledger)
    return world


def test_the_record_of_what_serves_is_not_needed_to_go_back(world: World) -> None:
    world.release("one")
    world.release("two")
    found = look_back(
        Wanted(), without_the_record_of_what_serves(world).target(), world.ledger, Told(), world.clock.now()
    )
    assert (found.choice.number, found.serving, found.problems) == (1, None, ())


def test_but_where_its_secret_values_are_wanted_it_is(world: World) -> None:
    world.secrets = {"TOKEN": "secret"}
    world.sets(run={"secrets": {"TOKEN": "env:TOKEN"}})
    world.release("one")
    world.release("two")
    target = without_the_record_of_what_serves(world).target()
    with pytest.raises(LedgerError, match="does not know"):
        look_back(Wanted(secrets="current"), target, world.ledger, Told(), world.clock.now())
    assert look_back(Wanted(), target, world.ledger, Told(), world.clock.now()).choice.number == 1


# Making room.


def running_beside(world: World) -> list[list[str]]:
    """What is there when the old one has been started."""
    found: list[list[str]] = []

    def around(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        if name == "create":
            found.append(world.there)
        return result

    world.around = around
    return found


def test_a_recreated_service_goes_back_by_stopping_what_serves_first(world: World) -> None:
    world.sets(rollout={"strategy": "recreate"})
    world.release("one")
    world.release("two")
    assert world.there == ["(one)", "two"]
    beside = running_beside(world)
    deployment = world.rollback()
    assert beside == [["one", "(two)"]]
    assert (deployment.revision, world.serves) == ("web-1", {"one": 100})
    assert world.ledger.release(3).strategy == "recreate"
    assert world.there == ["one", "(two)"]


def test_an_old_one_that_does_not_come_up_is_stopped_again(world: World) -> None:
    world.sets(rollout={"strategy": "recreate"})
    world.release("one")
    world.release("two")
    world.memory.held["web-1"].kind = "crash-loop"
    with pytest.raises(PutBack):
        world.rollback()
    assert (world.serves, world.there) == ({"two": 100}, ["(one)", "two"])


def test_what_could_not_be_started_again_is_not_stopped_for_it(world: World) -> None:
    world.sets(rollout={"strategy": "recreate"})
    world.release("one")
    world.release("two")
    world.memory.held["web-2"].release = None  # somebody took our labels off
    world.memory.version += 1
    beside = running_beside(world)
    assert world.rollback("#1").rollback_to == 1
    assert beside == [["one", "two"]]
    assert any("so it is not stopped first" in remark for remark in world.told.remarks)
