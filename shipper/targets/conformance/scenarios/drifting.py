"""Somebody changed by hand what shipper owns."""

from __future__ import annotations

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.rig import Drifts
from shipper.targets.conformance.scenario import scenario


@scenario(needs=[Drifts])
def drift_stops_a_release(here: Here) -> None:
    """A release does not overwrite it: 31, nothing written, and it says which field."""
    expect(here.release("one"), 0)
    here.drift()
    before = here.observe()
    assert before.drift
    ended = expect(here.release("two"), 31)
    assert any(before.drift[0].field in line for line in ended.details), f"it names no field: {ended.details}"
    assert here.observe().seen == before.seen
    here.answers("one")


@scenario(needs=[Drifts])
def drift_does_not_stop_a_rollback(here: Here) -> None:
    """A rollback shows it, takes it over, and leaves none."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    here.drift()
    ended = expect(here.rollback(), 0)
    assert ended.remarks, "it does not say that there was drift"
    here.answers("one")
    assert here.observe().drift == ()


@scenario(needs=[Drifts])
def a_rollback_to_what_serves_takes_its_drift_over(here: Here) -> None:
    """Asked for by its number, it is applied again as it was released; when that is so, there is nothing to do."""
    expect(here.release("one"), 0)
    number = expect(here.release("two"), 0).number
    here.drift()
    assert here.observe().drift
    ended = expect(here.rollback(f"#{number}"), 0)
    assert ended.done.changed, "it says that there was nothing to do"
    assert ended.done.rollback_to == number
    here.answers("two")
    assert here.observe().drift == ()
    assert not expect(here.rollback(f"#{number}"), 0).done.changed
    expect(here.release("three"), 0)
    here.answers("three")
