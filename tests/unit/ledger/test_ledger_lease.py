"""One holder at a time, by the challenger's own clock. No time passes but what the tests let pass."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from shipper.errors import Interrupted, LedgerError, LockedError, Overtaken
from shipper.ledger.lease import Leases
from shipper.ledger.tenure import Tenure
from shipper.model import Holder
from tests.unit.ledger.ledger_making import KEYS, DictStore, FakeClock, doubt, holder, leases_on

pytestmark = pytest.mark.unit


class Room:
    """A store, a clock, and holders whose leases are kept until the test ends."""

    def __init__(self) -> None:
        self.store = DictStore()
        self.clock = FakeClock()
        self.stack = ExitStack()

    def leases(self, life: str = "unknown") -> Leases:
        return leases_on(self.store, self.clock, life)

    def take(self, run: str, purpose: str = "release", **more: object) -> Tenure:
        """A lease that nobody renews, as that of a process that was killed."""
        lease = self.stack.enter_context(self.leases().held(holder(run, purpose), **more))  # type: ignore[arg-type]
        assert isinstance(lease, Tenure)
        return lease

    def beat_every(self, seconds: float, tenure: Tenure) -> None:
        """From now on it beats whenever so much time has passed."""
        last = [self.clock.time]

        def beating() -> None:
            if self.clock.time - last[0] >= seconds:
                last[0] = self.clock.time
                tenure.beat()

        self.clock.passing.append(beating)


@pytest.fixture
def room() -> Room:
    return Room()


def test_the_first_lease_has_an_epoch_above_the_stamps(room: Room) -> None:
    with room.leases().held(holder(), above=41) as lease:
        assert lease.epoch == 42
        assert lease.holder == holder()
        lease.check()


def test_a_lease_that_was_given_back_is_taken_at_once_under_a_higher_epoch(room: Room) -> None:
    epochs = []
    for _ in range(3):
        with room.leases().held(holder()) as lease:
            epochs.append(lease.epoch)
    assert epochs == [1, 2, 3]
    assert room.clock.time == 0


def test_it_is_given_back_when_the_block_fails_too(room: Room) -> None:
    with pytest.raises(RuntimeError), room.leases().held(holder()):
        raise RuntimeError
    with room.leases().held(holder("run-2")):
        assert room.clock.time == 0


def test_the_stamps_epoch_counts_even_when_the_ledger_has_seen_less(room: Room) -> None:
    room.take("run-1")
    with room.leases("dead").held(holder("run-2"), above=7) as lease:
        assert lease.epoch == 8
    with room.leases().held(holder("run-3"), above=7) as lease:
        assert lease.epoch == 9


def test_a_holder_that_was_seen_alive_is_left_alone_and_named(room: Room) -> None:
    room.beat_every(10, room.take("run-1"))
    with pytest.raises(LockedError) as caught, room.leases().held(holder("run-2")):
        pass
    assert caught.value.code == 30
    assert "iris in production on cloudrun is locked: alice@laptop runs a release there since" in caught.value.message
    assert "--wait 10m" in caught.value.hint
    assert "shipper rollback" in caught.value.hint
    assert caught.value.details == ("run run-1, process 4242 on laptop",)
    assert room.clock.time <= 11


def test_a_living_process_of_this_machine_is_left_alone_at_once(room: Room) -> None:
    room.take("run-1")
    with pytest.raises(LockedError), room.leases("alive").held(holder("run-2")):
        pass
    assert room.clock.time == 0


def test_a_dead_process_of_this_boot_holds_nothing(room: Room) -> None:
    room.take("run-1")
    with room.leases("dead").held(holder("run-2")) as lease:
        assert lease.epoch == 2
    assert room.clock.time == 0


def test_a_holder_elsewhere_that_is_silent_for_30_s_is_taken_over(room: Room) -> None:
    silent = room.take("run-1")
    with room.leases().held(holder("run-2")) as lease:
        assert lease.epoch == 2
        assert 30 <= room.clock.time <= 32
        with pytest.raises(Overtaken, match="alice@laptop took the lease over for a release"):
            silent.check()


@pytest.mark.parametrize("wrong_by", [-600, 600])
def test_clocks_that_are_ten_minutes_apart_change_nothing(room: Room, wrong_by: float) -> None:
    wrong = holder("run-1", since=room.clock.now() + wrong_by)
    beating = room.stack.enter_context(room.leases().held(wrong))
    assert isinstance(beating, Tenure)
    room.beat_every(10, beating)
    with pytest.raises(LockedError), room.leases().held(holder("run-2")):
        pass
    room.clock.passing.clear()  # killed
    before = room.clock.time
    with room.leases().held(holder("run-2")):
        assert 30 <= room.clock.time - before <= 32


def test_waiting_ends_as_soon_as_the_holder_gives_it_back(room: Room) -> None:
    told: list[Holder] = []
    held = room.take("run-1")
    room.beat_every(10, held)

    def done_at_45() -> None:
        if room.clock.time >= 45:
            room.clock.passing.clear()
            held.end()

    room.clock.passing.append(done_at_45)
    with room.leases().held(holder("run-2"), wait=600, on_wait=told.append) as lease:
        assert lease.epoch == 2
    assert 45 <= room.clock.time <= 47
    assert [each.run for each in told] == ["run-1"]


def test_waiting_ends_after_the_time_that_was_allowed(room: Room) -> None:
    room.beat_every(10, room.take("run-1"))
    with pytest.raises(LockedError), room.leases().held(holder("run-2"), wait=60):
        pass
    assert 60 <= room.clock.time <= 61


def test_a_rollback_takes_over_a_release_at_once_however_alive(room: Room) -> None:
    releasing = room.take("run-1")
    with room.leases("alive").held(holder("run-2", "rollback"), seize=True) as lease:
        assert lease.epoch == 2
        room.clock.sleep(1)
        with pytest.raises(Overtaken, match=r"took the lease over for a rollback \(run run-2\)"):
            releasing.check()
        lease.check()
    assert room.clock.time == 1


def test_a_rollback_never_takes_over_another_rollback(room: Room) -> None:
    room.beat_every(10, room.take("run-1", "rollback"))
    with pytest.raises(LockedError) as caught, room.leases().held(holder("run-2", "rollback"), seize=True):
        pass
    assert "runs a rollback there" in caught.value.message
    assert "shipper rollback" not in caught.value.hint


def test_but_a_dead_rollback_does_not_stand_in_the_way(room: Room) -> None:
    room.take("run-1", "rollback")
    with room.leases().held(holder("run-2", "rollback"), seize=True) as lease:
        assert lease.epoch == 2


@pytest.mark.parametrize("purpose", ["gc", "repair", "remove"])
def test_a_rollback_takes_over_whatever_else_is_at_work(room: Room, purpose: str) -> None:
    room.take("run-1", purpose)
    with room.leases("alive").held(holder("run-2", "rollback"), seize=True) as lease:
        assert lease.epoch == 2


def test_a_holder_that_cannot_renew_stops_before_anybody_may_take_over(room: Room) -> None:
    held = room.take("run-1")
    room.store.before.append(doubt(10_000, "put", "/beats/"))
    room.clock.sleep(24)
    held.check()
    room.clock.sleep(1)
    with pytest.raises(Overtaken, match="could not be renewed for 25 s"):
        held.check()


def test_a_beat_makes_it_good_for_another_25_s(room: Room) -> None:
    held = room.take("run-1")
    for _ in range(10):
        room.clock.sleep(20)
        held.beat()
        held.check()


def test_a_store_that_is_silent_for_a_moment_costs_no_lease(room: Room) -> None:
    held = room.take("run-1")
    room.store.before.append(doubt(10_000, "get", "/leases/"))
    room.clock.sleep(2)
    held.check()


def test_looking_for_a_successor_asks_the_store_once_a_second_at_most(room: Room) -> None:
    held = room.take("run-1")
    room.clock.sleep(5)
    room.store.asked.clear()
    for _ in range(50):
        held.check()
        room.clock.sleep(0.1)
    assert room.store.asked["get"] <= 6


def test_a_successor_once_seen_stays_seen(room: Room) -> None:
    held = room.take("run-1")
    with room.leases("dead").held(holder("run-2")):
        room.clock.sleep(2)
        for _ in range(2):
            with pytest.raises(Overtaken):
                held.check()


def test_of_two_who_reach_for_it_one_gets_it_and_the_other_is_told_who(room: Room) -> None:
    """The other one's lease appears just before ours is created."""
    inner = ExitStack()

    def faster(verb: str, key: str) -> None:
        if verb == "create" and "/leases/" in key:
            room.store.before.remove(faster)
            inner.enter_context(room.leases().held(holder("run-2")))

    with inner:
        room.store.before.append(faster)
        with pytest.raises(LockedError) as caught, room.leases().held(holder("run-1")):
            pass
    assert caught.value.details == ("run run-2, process 4242 on laptop",)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_was_lost_gives_one_lease_and_not_two(room: Room, when: str) -> None:
    getattr(room.store, when).append(doubt(2, "create", "/leases/"))
    with room.leases().held(holder()) as lease:
        assert lease.epoch == 1
    assert [key for key in room.store.objects if "/leases/0" in key] == [KEYS.lease(1)]


@pytest.mark.parametrize("hint", [None, b"", b"{", b"[]", b'{"number": 999}', b'{"number": "x"}', b'{"number": -1}'])
def test_a_hint_that_is_lost_or_wrong_hides_no_lease(room: Room, hint: bytes | None) -> None:
    for _ in range(20):
        with room.leases().held(holder()):
            pass
    room.take("run-1")
    del room.store.objects[KEYS.lease_hint]
    if hint is not None:
        room.store.objects[KEYS.lease_hint] = hint
    with pytest.raises(LockedError), room.leases("alive").held(holder("run-2")):
        pass


def test_taking_it_costs_the_same_whatever_came_before(room: Room) -> None:
    asked = []
    for _ in range(100):
        room.store.asked.clear()
        with room.leases().held(holder()):
            pass
        asked.append(room.store.asked.total())
    assert asked[-1] == asked[1] <= 10


def test_what_is_no_lease_is_refused_by_name(room: Room) -> None:
    room.take("run-1")
    room.store.objects[KEYS.lease(1)] = b"{}"
    with pytest.raises(LedgerError, match=r"leases/000000000001\.json is not a lease"), room.leases().held(holder()):
        pass


def test_a_beat_of_nonsense_does_not_count_as_given_back(room: Room) -> None:
    room.take("run-1")
    room.store.objects[KEYS.beat(1)] = b'[{"released": true}'
    with pytest.raises(LockedError), room.leases("alive").held(holder("run-2")):
        pass


def test_cancelling_ends_the_wait(room: Room) -> None:
    class Cancelled:
        """Cancelled while it is waited for the holder."""

        cancelled = False
        remaining = None

        def wait(self, seconds: float) -> bool:
            self.cancelled = True
            return True

        def check(self) -> None:
            raise Interrupted("interrupted")

    room.take("run-1")
    cancel = Cancelled()
    with pytest.raises(Interrupted), room.leases().held(holder("run-2"), wait=600, cancel=cancel):  # type: ignore[arg-type]
        pass
    assert json.loads(room.store.objects[KEYS.lease(1)])["holder"]["run"] == "run-1"
    assert KEYS.lease(2) not in room.store.objects


def test_when_the_end_cannot_be_written_the_next_one_waits_and_then_takes_over(room: Room) -> None:
    with room.leases().held(holder("run-1")):
        room.store.before.append(doubt(10_000, "put", "/beats/"))
    room.store.before.clear()
    before = room.clock.time
    with room.leases().held(holder("run-2")) as lease:
        assert lease.epoch == 2
    assert 30 <= room.clock.time - before <= 32


def test_a_holder_counts_from_before_it_asked_for_the_lease_as_a_challenger_may(room: Room) -> None:
    """The lease is there at once, but its answer is lost, and reading it back and the hint's write take their time."""

    def slow(verb: str, key: str) -> None:
        if "/leases/" in key and verb in ("create", "put"):
            room.clock.time += 2.4

    room.store.after += [slow, doubt(1, "create", "/leases/0")]
    held = room.take("run-1")
    room.store.before.append(doubt(10_000, "put", "/beats/"))
    assert room.clock.time < 25
    room.clock.time = 25.0
    with pytest.raises(Overtaken, match="could not be renewed for 25 s"):
        held.check()


def test_a_successor_that_came_while_the_lease_was_being_taken_is_seen_at_the_first_look(room: Room) -> None:
    later = ExitStack()

    def seized(verb: str, key: str) -> None:
        if verb == "put" and key == KEYS.lease_hint and not room.clock.time:
            room.clock.time += 2
            later.enter_context(room.leases().held(holder("run-2", "rollback"), seize=True))

    with later:
        room.store.after.append(seized)
        with pytest.raises(Overtaken, match="for a rollback"):
            room.take("run-1").check()
