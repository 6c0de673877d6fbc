"""The way back."""

from __future__ import annotations

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.rig import Kill, LosesImages, LosesRevisions
from shipper.targets.conformance.scenario import scenario
from shipper.targets.conformance.scenarios.strategies import FAST_BAKE
from shipper.targets.protocol import SplitsTraffic

UNREACHABLE = "file:///dev/null/no-such-directory"
"""A ledger that nobody can open."""


@scenario()
def rollback(here: Here) -> None:
    """Image, environment and secret values of then come back together, from a machine that has none of them.

    Where a secret has one value at a time, that is the value.
    """
    here.sets(run={"env": {"MODE": "then"}})
    here.knows(LICENCE="value of then")
    expect(here.release("one"), 0)
    here.sets(run={"env": {"MODE": "now"}})
    here.knows(LICENCE="value of now")
    expect(here.release("two"), 0)
    here.answers("now", "/env/MODE")
    done = expect(here.rollback(), 0).done
    assert (done.number, done.rollback_to) == (3, 1)
    here.answers("one")
    here.answers("then", "/env/MODE")
    changed = here.target().traits.secrets_change_in_place
    here.answers("value of now" if changed else "value of then", "/secrets/LICENCE")
    here.lost_nothing()


@scenario()
def a_rollback_to_a_number(here: Here) -> None:
    """`--to #1` goes further back than the last one."""
    for text in ("one", "two", "three"):
        expect(here.release(text), 0)
    done = expect(here.rollback("#1"), 0).done
    assert done.rollback_to == 1
    here.answers("one")


@scenario()
def a_rollback_to_what_serves(here: Here) -> None:
    """Asked for what serves already, it does nothing and says so."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    done = expect(here.rollback("#2"), 0).done
    assert not done.changed
    here.answers("two")


@scenario()
def a_rollback_with_nothing_before(here: Here) -> None:
    """After one release there is no way back: 23, and it serves on."""
    expect(here.release("one"), 0)
    expect(here.rollback(), 23)
    here.answers("one")


@scenario()
def a_rollback_where_nothing_was_released(here: Here) -> None:
    """23, and nothing is made."""
    expect(here.rollback(), 23)
    here.answers_nothing()
    here.lost_nothing()


@scenario()
def a_rollback_after_failed_releases(here: Here) -> None:
    """However many releases failed since, it goes to the last one that was well and does not serve."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    for at in range(5):
        expect(here.release(f"bad {at}", "crash-loop"), 20)
    done = expect(here.rollback(), 0).done
    assert done.rollback_to == 1
    here.answers("one")
    here.lost_nothing()


@scenario()
def rollback_after_rollback(here: Here) -> None:
    """It goes further back each time and never forward again, until there is nothing left."""
    for text in ("one", "two", "three"):
        expect(here.release(text), 0)
    expect(here.rollback(), 0)
    here.answers("two")
    expect(here.rollback(), 0)
    here.answers("one")
    expect(here.rollback(), 23)
    here.answers("one")


@scenario()
def a_quarantined_release(here: Here) -> None:
    """What was rolled back is refused when it is released again; with another environment it is another release."""
    here.sets(run={"env": {"MODE": "good"}})
    expect(here.release("one"), 0)
    here.sets(run={"env": {"MODE": "bad"}})
    expect(here.release("one"), 0)
    expect(here.rollback(), 0)
    expect(here.release("one"), 16)
    here.answers("good", "/env/MODE")
    here.sets(run={"env": {"MODE": "better"}})
    expect(here.release("one"), 0)
    here.answers("better", "/env/MODE")


@scenario()
def a_release_after_a_rollback(here: Here) -> None:
    """Numbers go on, and the way back from there is what the rollback brought."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    expect(here.rollback(), 0)
    done = expect(here.release("three"), 0).done
    assert done.number == 4
    expect(here.rollback(), 0)
    here.answers("one")
    here.lost_nothing()


@scenario()
def a_rollback_without_its_revision(here: Here) -> None:
    """`keep = "none"`: what served before is gone, and is made again from its image."""
    here.sets(rollback={"keep": "none"})
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    expect(here.rollback(), 0)
    here.answers("one")


@scenario()
def a_rollback_to_a_stopped_revision(here: Here) -> None:
    """`keep = "stopped"`: what served before is started again."""
    here.sets(rollback={"keep": "stopped"})
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    expect(here.rollback(), 0)
    here.answers("one")


@scenario()
def a_rollback_without_its_ledger(here: Here) -> None:
    """The ledger cannot be reached: the platform's own records suffice, and the code says that nothing was recorded."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    expect(here.rollback(ledger=UNREACHABLE), 24)
    here.answers("one")
    here.lost_nothing()


@scenario()
def a_release_without_its_ledger(here: Here) -> None:
    """A release does not begin without its ledger: 33, nothing written."""
    expect(here.release("one"), 0)
    before = here.observe()
    expect(here.release("two", ledger=UNREACHABLE), 33)
    assert here.observe().seen == before.seen
    here.answers("one")


@scenario(needs=[LosesImages, LosesRevisions])
def a_rollback_to_what_is_gone(here: Here) -> None:
    """Revision and image were deleted: 23 says what is gone, and what serves goes on."""
    first = expect(here.release("one"), 0).done
    expect(here.release("two"), 0)
    here.lose_revision(first.revision)
    here.lose_image("one")
    ended = expect(here.rollback(), 23)
    said = "\n".join([ended.message, *ended.details])
    assert "image" in said, f"it does not say that the image is gone: {said}"
    here.answers("two")


@scenario(needs=[SplitsTraffic], strategy="canary")
def a_rollback_in_the_middle_of_a_canary(here: Here) -> None:
    """The run died while two revisions shared the traffic: the way back is the old one, not one before it."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    here.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": FAST_BAKE})
    at = expect(here.release("a canary to count", in_process=True), 0).writes.index("shift") + 1
    expect(here.rollback(), 0)
    assert here.release("three", in_process=True, kill=Kill("after", at)).killed
    assert len(here.serves()) == 2, f"expected two to share, found {here.serves()}"
    expect(here.rollback(), 0)
    here.answers("two")
    here.lost_nothing()
