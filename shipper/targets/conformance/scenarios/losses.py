"""What only one side knew is lost."""

from __future__ import annotations

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.rig import LosesRevisions, LosesStamp
from shipper.targets.conformance.scenario import scenario


def two_releases(here: Here) -> None:
    """What each of these scenarios starts from."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)


@scenario()
def the_ledger_lost(here: Here) -> None:
    """Its history is lost; numbers go on from the platform's, and the way back is there."""
    two_releases(here)
    here.loses_the_ledger()
    expect(here.rollback(), 0)
    here.answers("one")
    done = expect(here.release("three"), 0).done
    assert done.number == 4
    here.answers("three")


@scenario()
def quarantine_without_the_ledger(here: Here) -> None:
    """What was rolled back stays refused: the stamp knows it too."""
    two_releases(here)
    expect(here.rollback(), 0)
    here.loses_the_ledger()
    expect(here.release("two"), 16)
    here.answers("one")


@scenario(needs=[LosesStamp])
def quarantine_without_the_stamp(here: Here) -> None:
    """And so does the ledger."""
    two_releases(here)
    expect(here.rollback(), 0)
    here.loses_the_stamp()
    expect(here.release("two"), 16)
    here.answers("one")


@scenario(needs=[LosesStamp])
def the_stamp_lost(here: Here) -> None:
    """Numbers go on from the ledger's, the way back is there, and the next write mends the stamp."""
    two_releases(here)
    epoch = here.observe().stamp.epoch
    here.loses_the_stamp()
    expect(here.rollback(), 0)
    here.answers("one")
    stamp = here.observe().stamp
    assert stamp.highest == 3
    assert stamp.epoch > epoch
    done = expect(here.release("three"), 0).done
    assert done.number == 4


@scenario(needs=[LosesStamp])
def ledger_and_stamp_lost(here: Here) -> None:
    """Numbers go on from the records', and what is asked for by its number comes back."""
    two_releases(here)
    here.loses_the_ledger()
    here.loses_the_stamp()
    expect(here.rollback("#1"), 0)
    here.answers("one")
    done = expect(here.release("three"), 0).done
    assert done.number == 4
    here.answers("three")


@scenario(needs=[LosesRevisions])
def a_revision_lost(here: Here) -> None:
    """The previous revision was deleted by hand: its release is made again, from the ledger's record."""
    first = expect(here.release("one"), 0).done
    expect(here.release("two"), 0)
    here.lose_revision(first.revision)
    expect(here.rollback(), 0)
    here.answers("one")
