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
