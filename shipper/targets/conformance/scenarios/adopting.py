"""Something served here before shipper came."""

from __future__ import annotations

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.rig import Adopts
from shipper.targets.conformance.scenario import scenario


@scenario(needs=[Adopts])
def the_first_release_over_something_foreign(here: Here) -> None:
    """It is shown as #0 and serves until the release does; then it is the way back."""
    here.adopt("foreign")
    here.answers("foreign")
    (found,) = here.observe().serving
    assert (found.release, found.number) == (None, 0)
    done = expect(here.release("one"), 0).done
    assert done.number == 1
    here.answers("one")
    expect(here.rollback(), 0)
    here.answers("foreign")


@scenario(needs=[Adopts])
def a_failed_first_release_over_something_foreign(here: Here) -> None:
    """It serves on."""
    here.adopt("foreign")
    expect(here.release("one", "crash-loop"), 20)
    here.answers("foreign")


@scenario(needs=[Adopts])
def what_is_foreign_is_never_removed(here: Here) -> None:
    """Releases after the first leave it where it is."""
    here.adopt("foreign")
    for text in ("one", "two", "three"):
        expect(here.release(text), 0)
    expect(here.rollback("#0"), 0)
    here.answers("foreign")
