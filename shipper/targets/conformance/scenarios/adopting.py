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


@scenario(needs=[Adopts])
def releases_after_a_rollback_to_something_foreign(here: Here) -> None:
    """It is gone back to, and is what serves; numbers go on from there, and it is the way back again."""
    here.adopt("foreign")
    expect(here.release("one"), 0)
    done = expect(here.rollback(), 0).done
    assert (done.number, done.rollback_to) == (2, 0)
    serves, back = here.status()
    assert serves == "#2 (rollback to #0)", f"status says that {serves or 'nothing that is known'} serves"
    assert back.startswith("not possible: there is no earlier"), f"#0 serves and #1 is quarantined, yet: {back}"
    expect(here.rollback(), 23)
    assert not expect(here.rollback("#0"), 0).done.changed
    here.answers("foreign")
    assert expect(here.release("two"), 0).done.number == 3
    serves, back = here.status()
    assert serves == "#3", f"status says that {serves or 'nothing that is known'} serves"
    assert back.startswith("ready -> #0"), f"it runs and #1 is quarantined, yet: {back}"
    done = expect(here.rollback(), 0).done
    assert (done.number, done.rollback_to) == (4, 0)
    here.answers("foreign")
    here.lost_nothing()
