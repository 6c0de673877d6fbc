"""A release, from the lease to what is kept: all at once, with nothing in its way."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.errors import (
    Conflict,
    CredentialsError,
    Denied,
    DriftError,
    LedgerError,
    LockedError,
    NotRecorded,
    PolicyError,
    RolloutFailed,
    ShipperError,
    Transient,
    UnreachableError,
    UsageError,
)
from shipper.ledger.holders import this_process
from shipper.model import Holder, Stamp
from shipper.targets.conformance.memory_splits import TRAITS
from shipper.targets.conformance.rig import Answer
from tests.unit.rollout.world import (
    FakeClock,
    Unreachable,
    World,
    afterwards,
    failing,
    holder,
    new_ledger,
    splitting_world,
)

pytestmark = pytest.mark.unit


def test_the_first_release_serves_is_number_one_and_is_proved_by_its_name(world: World) -> None:
    deployment = world.release("one")
    assert (deployment.number, deployment.changed, deployment.previous) == (1, True, None)
    assert deployment.verdict.proof == "identity"
    assert world.serves == {"one": 100}
    assert world.outcomes == ["verified"]
    assert world.memory.stamp == Stamp(epoch=1, highest=1, verified=(1,))


def test_a_second_release_takes_over_and_the_first_stays_warm(world: World) -> None:
    world.release("one")
    deployment = world.release("two")
    assert (deployment.number, deployment.previous) == (2, world.name(1))
    assert (world.serves, world.there) == ({"two": 100}, ["one", "two"])


@pytest.mark.parametrize(("keep", "there"), [("stopped", ["(two)", "three"]), ("none", ["three"])])
def test_what_is_kept_of_the_previous_one_is_configured(world: World, keep: str, there: list[str]) -> None:
    world.sets(rollback={"keep": keep})
    for text in ("one", "two", "three"):
        world.release(text)
    assert world.there == there


def test_every_release_carries_its_place_and_its_ledger(world: World) -> None:
    world.release("one", commit="c" * 40, commit_time=5)
    record = world.target().records()[0]
    assert (record.place, record.ledger) == (world.place.chosen, world.ledger.url)
    assert (record.strategy, record.commit_time) == ("all-at-once", 5)
    assert world.ledger.release(1) == record


def test_the_same_release_again_is_nothing_to_do_and_takes_no_lease(world: World) -> None:
    world.release("one")
    world.ledger = Unreachable(world.ledger)
    deployment = world.release("one")
    assert (deployment.changed, deployment.number) == (False, 1)
    assert set(world.calls) <= {"observe", "ask"}


def test_another_runs_newer_revision_is_left_alone(world: World) -> None:
    world.release("one")

    def another_run_creates() -> None:
        record = world.memory.records[next(iter(world.memory.records))]
        newer = record.model_copy(update={"id": "another", "number": 9})
        world.memory.held["another"] = type(world.memory.held[world.name(1)])("another", newer, "good", "another")
        world.memory.version += 1

    world.around = afterwards("progress", another_run_creates)
    assert world.release("two").number == 2
    assert world.there == ["one", "another", "two"] or world.there == ["one", "two", "another"]


def test_what_cannot_be_retired_is_told_and_fails_nobody(world: World) -> None:
    world.release("one")
    world.around = failing("retire", Denied("busy"))
    assert world.release("two").changed
    assert any("could not retire what served before: busy" in remark for remark in world.told.remarks)


def test_a_conflict_is_decided_anew(world: World) -> None:
    world.release("one")
    world.around = failing("create", Conflict("somebody was here"))
    assert world.release("two").number == 2
    assert world.calls.count("create") == 2


def test_a_write_whose_answer_is_lost_was_carried_out_once(world: World) -> None:
    world.release("one")
    lost = iter([Transient("connection reset")])

    def around(name: str, call: Any) -> Any:
        result = call()
        if name == "shift" and (error := next(lost, None)) is not None:
            raise error
        return result

    world.around = around
    world.release("two")
    assert world.calls.count("shift") == 1
    assert world.serves == {"two": 100}


def test_endless_conflicts_end(world: World) -> None:
    world.around = failing("create", *[Conflict("always")] * 9)
    with pytest.raises(RolloutFailed, match="another writer changed the target 5 times in a row"):
        world.release("one")


@pytest.mark.parametrize(
    ("error", "ours"),
    [(Denied("socket"), CredentialsError), (Transient("timeout"), UnreachableError), (Conflict("x"), LockedError)],
)
def test_what_keeps_us_from_observing_is_told_before_anything_is_written(
    world: World, error: Exception, ours: type[ShipperError]
) -> None:
    world.around = failing("observe", error)
    with pytest.raises(ours):
        world.release("one")
    assert world.calls == ["observe"]
    assert world.outcomes == []


@pytest.mark.parametrize("call", ["create", "replace"])
def test_who_may_not_write_is_told_so_and_has_written_nothing(world: World, replacing: World, call: str) -> None:
    world = replacing if call == "replace" else world
    world.release("one")
    world.around = failing(call, Denied("patch deployments is forbidden"))
    with pytest.raises(CredentialsError, match="patch deployments is forbidden"):
        world.release("two")
    assert world.serves == {"one": 100}


def test_who_may_not_go_on_has_a_failed_rollout(world: World) -> None:
    world.release("one")
    world.around = failing("shift", Denied("patch services is forbidden"))
    with pytest.raises(RolloutFailed, match="patch services is forbidden"):
        world.release("two")
    assert world.serves == {"one": 100}


# Guards.


def test_drift_is_refused_before_writing(world: World) -> None:
    world.release("one")
    world.place.drift()
    with pytest.raises(DriftError) as caught:
        world.release("two")
    assert caught.value.details == ("run.memory: none -> 64 MB",)
    assert world.outcomes == ["verified"]


def test_an_operation_of_somebody_else_is_refused(world: World) -> None:
    world.memory.in_flight = "op-7"
    with pytest.raises(LockedError, match="an operation is in flight on the target: op-7"):
        world.release("one")


def test_what_is_quarantined_is_refused_by_fingerprint_and_not_by_image(world: World) -> None:
    world.release("one")
    world.sets(run={"env": {"MODE": "bad"}})
    world.release("one")
    world.rollback()
    with pytest.raises(PolicyError, match="quarantined here") as caught:
        world.release("one")
    assert caught.value.exit_code == 16
    world.sets(run={"env": {"MODE": "better"}})
    assert world.release("one").changed


def test_a_quarantine_that_only_the_stamp_or_only_the_ledger_knows_holds(world: World) -> None:
    world.release("one")
    world.release("two")
    world.rollback()
    world.place.lose_stamp()
    with pytest.raises(PolicyError):
        world.release("two")
    other = splitting_world()
    other.release("one")
    other.release("two")
    other.rollback()
    other.ledger = new_ledger()
    with pytest.raises(PolicyError):
        other.release("two")


def test_an_older_commit_than_what_serves_is_refused_unless_it_is_allowed(world: World) -> None:
    world.release("new", commit="b" * 40, commit_time=2000)
    with pytest.raises(
        PolicyError, match=r"commit aaaaaaaaaaaa of .* is older than what serves: bbbbbbbbbbbb"
    ) as caught:
        world.release("old", commit="a" * 40, commit_time=1000)
    assert (caught.value.exit_code, caught.value.cause) == (16, "older-commit")
    assert "--allow-older" in caught.value.hint
    assert world.release("old", commit="a" * 40, commit_time=1000, allow_older=True).changed


@pytest.mark.parametrize("known", [{"dirty": True}, {"commit": None}, {"commit_time": None}, {"commit_time": 2000}])
def test_a_commit_that_says_nothing_is_not_guarded(world: World, known: dict[str, Any]) -> None:
    world.release("new", commit="b" * 40, commit_time=2000)
    assert world.release("old", **{"commit": "a" * 40, "commit_time": 1000, **known}).changed


def test_after_a_rollback_a_commit_between_the_two_may_come(world: World) -> None:
    world.release("old", commit="a" * 40, commit_time=1000)
    world.release("new", commit="c" * 40, commit_time=3000)
    world.rollback()
    assert world.release("fix", commit="b" * 40, commit_time=2000).changed


@pytest.mark.parametrize("because", ["CI", "protected"])
def test_a_lease_for_one_machine_is_refused_where_several_release(
    monkeypatch: pytest.MonkeyPatch, because: str
) -> None:
    world = splitting_world(TRAITS.model_copy(update={"holds_lock": False}))
    world.release("one")
    if because == "CI":
        monkeypatch.setenv("CI", "true")
    else:
        world.sets(ledger={"protected": True})
    with pytest.raises(UsageError, match="excludes writers on this machine only") as caught:
        world.release("two")
    assert caught.value.exit_code == 2


def test_a_rollback_is_never_refused_for_its_lease_and_says_what_it_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = splitting_world(TRAITS.model_copy(update={"holds_lock": False}))
    world.release("one")
    world.release("two")
    monkeypatch.setenv("CI", "true")
    assert world.rollback().rollback_to == 1
    assert any("the lease covers this machine only" in remark for remark in world.told.remarks)


# Lease and ledger.


def test_a_locked_service_is_told_by_whom(world: World) -> None:
    with (
        world.ledger.lease(this_process("R1", "release", "bob@desk")),
        pytest.raises(LockedError, match="bob@desk") as caught,
    ):
        world.release("one")
    assert caught.value.exit_code == 30
    assert world.serves == {}


def test_without_its_ledger_a_release_writes_nothing(world: World) -> None:
    world.ledger = Unreachable(world.ledger)
    with pytest.raises(LedgerError) as caught:
        world.release("one")
    assert caught.value.exit_code == 33
    assert "create" not in world.calls


def test_a_ledger_that_is_lost_after_the_proof_ends_in_24_and_says_what_serves(world: World) -> None:
    world.release("one")
    world.ledger = Unreachable(world.ledger, after=3)  # lease, state, started
    with pytest.raises(
        NotRecorded, match="#2 serves at memory://web, proved by identity, but could not be recorded"
    ) as caught:
        world.release("two")
    assert caught.value.exit_code == 24
    assert "status --repair" in caught.value.hint
    assert world.serves == {"two": 100}


def test_a_stamp_that_cannot_be_written_ends_in_24(world: World) -> None:
    world.around = failing("write_stamp", Denied("read only"))
    with pytest.raises(NotRecorded, match="the stamp could not be written: read only"):
        world.release("one")
    assert world.outcomes == ["verified"]


def test_numbers_go_on_from_whoever_knows_the_highest(world: World) -> None:
    world.release("one")
    world.release("two")
    world.ledger = new_ledger()
    assert world.release("three").number == 3
    world.place.lose_stamp()
    assert world.release("four").number == 4


@pytest.mark.parametrize("stamped", [False, True], ids=["before its stamp", "after it"])
def test_what_a_dead_run_left_unrecorded_is_recorded_by_the_same_release(world: World, stamped: bool) -> None:
    world.release("one")

    class Killed(BaseException):
        pass

    dead = False

    def around(name: str, call: Any) -> Any:
        nonlocal dead
        if name == "write_stamp" and stamped and not dead:
            call()
        dead = dead or name == "write_stamp"
        if dead:
            raise Killed
        return call()

    world.around = around
    with pytest.raises(Killed):
        world.release("two")
    assert world.outcomes == ["verified", "started"]
    world.around = None
    deployment = world.release("two")
    assert (deployment.changed, deployment.number) == (False, 2)
    assert world.outcomes == ["verified", "verified"]
    assert world.memory.stamp.verified == (1, 2)
    assert any("did not live to say so" in remark for remark in world.told.remarks)


# What was there before.


def test_the_first_release_over_something_foreign_makes_it_number_zero(world: World) -> None:
    world.place.adopt("foreign")  # type: ignore[attr-defined]
    assert world.release("one").previous == "foreign"
    assert world.state.adopted == "foreign"
    assert world.there == ["foreign", "one"]
    assert world.rollback("#0").rollback_to == 0
    assert world.serves == {"foreign": 100}
    assert world.place.ask() == Answer(status=200, body=b"foreign", revision="foreign")


def test_secret_versions_are_those_of_the_places_key(world: World) -> None:
    world.secrets = {"TOKEN": "s3cret"}
    world.sets(run={"secrets": {"TOKEN": "env:TOKEN"}})
    world.release("one")
    key = world.memory.key
    assert key is not None
    versions = world.target().records()[0].secret_versions
    assert not world.release("one").changed
    world.secrets = {"TOKEN": "another"}
    assert world.release("one").changed
    assert world.target().records()[1].secret_versions != versions


def test_waiting_for_a_lease_says_for_whom() -> None:
    world = splitting_world()
    told: list[Holder] = []

    class Waited:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def lease(self, holder_: Holder, *, on_wait: Any, **options: Any) -> Any:
            on_wait(holder("rollback", 0.0, "eve@pager"))
            told.append(holder_)
            return self.inner.lease(holder_, on_wait=on_wait, **options)

    world.ledger = Waited(world.ledger)
    world.release("one")
    assert "waiting for the rollback of eve@pager, at work since 00:00:00 UTC" in world.told.texts


def test_a_fake_clock_goes_on() -> None:
    clock = FakeClock()
    assert clock.monotonic() < clock.monotonic()
