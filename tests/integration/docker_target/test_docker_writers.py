"""Several writers at one Docker host: exactly one wins, and nobody works on what is not there any more."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

import pytest

from shipper.model import Stamp
from shipper.targets import Conflict, Invalid

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def every_write(service: Any, revision: Any, stamp: Stamp, seen: str) -> list[Callable[[], object]]:
    target = service.target
    return [
        lambda: target.create(service.release("late"), stamp, seen),
        lambda: target.shift({}, stamp, seen),
        lambda: target.retire([revision], "warm", stamp, seen),
        lambda: target.retire([], "removed", stamp, seen),
        lambda: target.collect([], stamp, seen),
        lambda: target.write_stamp(stamp, seen),
        lambda: target.remove(stamp, seen),
    ]


def test_a_write_on_what_was_seen_before_somebody_wrote_is_refused(service: Any) -> None:
    revision = service.serve()
    seen = service.seen
    service.target.write_stamp(service.stamp(), seen)
    for write in every_write(service, revision, service.stamp(), seen):
        with pytest.raises(Conflict, match="was seen"):
            write()
    assert service.weights() == {revision.name: 100}


def test_a_writer_with_a_lower_epoch_was_overtaken(service: Any) -> None:
    revision = service.serve()
    service.target.write_stamp(Stamp(epoch=7, highest=41), service.seen)
    now = service.target.observe()
    assert (now.stamp.epoch, now.highest) == (7, 41)
    for write in every_write(service, revision, Stamp(epoch=6, highest=41), now.seen):
        with pytest.raises(Conflict, match="epoch 6 was overtaken by epoch 7"):
            write()
    assert service.target.observe() == now


def test_a_stamp_that_somebody_took_out_of_the_file_does_not_lower_the_fence(service: Any) -> None:
    service.serve()
    service.target.write_stamp(Stamp(epoch=7, highest=41, quarantined=("0123456789ab",)), service.seen)
    lose_stamp(service)
    now = service.target.observe()
    assert (now.stamp.epoch, now.stamp.highest, now.highest, now.drift) == (7, 0, 1, ())
    with pytest.raises(Conflict, match="epoch 6 was overtaken"):
        service.target.write_stamp(Stamp(epoch=6), now.seen)
    service.target.write_stamp(Stamp(epoch=7, highest=42), now.seen)
    assert service.target.observe().stamp.highest == 42


def test_of_eight_writers_at_once_exactly_one_wins(service: Any) -> None:
    service.serve()
    seen, stamp = service.seen, service.stamp()
    start = threading.Barrier(8)
    writers = [service.connected() for _ in range(8)]

    def write(target: Any) -> str:
        target.observe()
        start.wait(10)
        try:
            target.write_stamp(stamp, seen)
        except Conflict:
            return "conflict"
        return "won"

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(write, writers))
    assert outcomes == ["conflict"] * 7 + ["won"]


def test_a_removal_that_a_rollback_overtook_while_it_drained_ends_nothing(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = service.serve("old"), service.serve("new")
    seen, stamp, rollback = service.seen, service.stamp(), service.connected()

    def seized(*words: object) -> int:
        rollback.shift({old.name: 100}, stamp.model_copy(update={"epoch": stamp.epoch + 1}), rollback.observe().seen)
        return 0

    monkeypatch.setattr(service.target._proxy, "drain", seized)
    with pytest.raises(Conflict, match="somebody else wrote"):
        service.target.remove(stamp, seen)
    assert (service.weights(), service.ask().text) == ({old.name: 100}, "old")


def test_the_same_release_twice_is_the_same_revision(service: Any) -> None:
    release = service.release()
    first = service.serve(release=release)
    again = service.create(release)
    assert again.name == first.name
    assert service.weights() == {first.name: 100}
    assert [found.name for found in service.target.revisions()] == [first.name]
    assert service.target.records() == [release]


def test_what_has_traffic_is_not_retired(service: Any) -> None:
    revision = service.serve()
    for to in ("warm", "stopped", "removed"):
        with pytest.raises(Invalid, match="has traffic"):
            service.retire(revision, to=to)
    assert service.ask().text == "it"


def lose_stamp(service: Any) -> None:
    """By hand: the running proxy and its version stay."""
    state = f"/state/services/{service.name}/current/state.json"
    service.host.in_the_proxy('perl -0pi -e \'s/"stamp": \\{[^}]*\\}/"stamp": {}/\' "$(realpath "$1")"', state)
