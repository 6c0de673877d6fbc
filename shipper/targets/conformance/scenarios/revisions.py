"""Revisions and records, asked of the target directly."""

from __future__ import annotations

import time
from typing import get_args

from shipper.errors import Invalid
from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.scenario import scenario
from shipper.targets.protocol import Collects, Probes, Replaces, Retired, SplitsTraffic, Target

LONGEST_STEP = 1.0
"""Seconds: `progress` promises a step every 0.5, and a busy machine takes its part."""


@scenario()
def what_a_target_says_of_itself(here: Here) -> None:
    """Its kind, its platform and its traits fit the protocols that it has."""
    target = here.target()
    traits, splits = target.traits, isinstance(target, SplitsTraffic)
    assert target.kind == here.place.chosen.kind
    assert target.default_platform.startswith("linux/")
    assert splits or isinstance(target, Replaces), "it neither splits traffic nor replaces"
    assert traits.strategies, "it names no strategy"
    splitting = {"all-at-once", "blue-green", "canary"} & set(traits.strategies)
    assert splits or not splitting, f"only a target that splits traffic can do {', '.join(splitting)}"
    assert isinstance(target, Replaces) or "rolling" not in traits.strategies, "only one that replaces can do rolling"
    assert traits.probes_revisions == isinstance(target, Probes), "its trait probes_revisions is not what it can do"
    assert "canary" not in traits.strategies or (traits.weight_step and traits.max_sharing > 1)


@scenario(needs=[SplitsTraffic])
def the_same_id_is_the_same_revision(here: Here) -> None:
    """Created twice there is one of it; stopped, it is started again."""
    expect(here.release("one"), 0)
    target, release = here.target(), here.a_release("two")
    assert isinstance(target, SplitsTraffic)
    now = target.observe()
    first = target.create(release, now.stamp, now.seen)
    now = target.observe()
    assert target.create(release, now.stamp, now.seen).name == first.name
    assert [found.name for found in target.revisions()].count(first.name) == 1
    now = target.observe()
    target.retire([first], "stopped", now.stamp, now.seen)
    now = target.observe()
    target.create(release, now.stamp, now.seen)
    assert list(target.progress(first))[-1].state == "ready"
    here.answers("one")


@scenario(needs=[SplitsTraffic])
def a_new_revision_has_no_traffic(here: Here) -> None:
    """Users go on getting what served, until a shift says otherwise."""
    expect(here.release("one"), 0)
    target = here.target()
    assert isinstance(target, SplitsTraffic)
    now = target.observe()
    revision = target.create(here.a_release("two"), now.stamp, now.seen)
    assert revision.weight == 0
    assert list(target.progress(revision))[-1].state == "ready"
    here.answers("one")
    now = target.observe()
    target.shift({revision.name: 100}, now.stamp, now.seen)
    here.answers("two")


@scenario()
def what_has_traffic_is_not_retired(here: Here) -> None:
    """Asked to, the target says that the request is wrong, and does nothing."""
    expect(here.release("one"), 0)
    target = here.target()
    for to in get_args(Retired):
        now = target.observe()
        try:
            target.retire(now.serving, to, now.stamp, now.seen)
        except Invalid:
            continue
        raise AssertionError(f"retiring to {to} what has traffic was not refused")
    here.answers("one")


@scenario()
def what_is_gone_is_retired_again(here: Here) -> None:
    """Removing what is removed is no error: a run that died may have done it."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    target = here.target()
    idle = [found for found in target.revisions() if not found.weight]
    for _ in range(2):
        now = target.observe()
        target.retire(idle, "removed", now.stamp, now.seen)
    assert [found.weight for found in target.revisions()] == [100]
    here.answers("two")


@scenario()
def revisions_and_records_in_their_order(here: Here) -> None:
    """Oldest first, each record whole: it says what runs, with which configuration, and where its ledger is."""
    here.sets(run={"env": {"MODE": "one"}})
    expect(here.release("one"), 0)
    here.sets(run={"env": {"MODE": "two"}})
    expect(here.release("two"), 0)
    target = here.target()
    numbers = [found.number for found in target.revisions()]
    assert numbers == sorted(numbers, key=lambda number: number or 0)
    records = target.records()
    assert [record.number for record in records] == sorted(record.number for record in records)
    newest = records[-1]
    (serving,) = target.observe().serving
    assert (newest.id, newest.fingerprint, newest.number) == (serving.release, serving.fingerprint, serving.number)
    assert newest.settings.run.env == {"MODE": "two"}
    assert newest.ledger, "the record does not say where its ledger is"


@scenario()
def removal_leaves_nothing(here: Here) -> None:
    """Removing the service removes everything of it; removing it again is no error, and a release starts anew."""
    here.knows(LICENCE="a value")
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    here.removes_everything()
    now = here.observe()
    assert (now.serving, now.revisions) == ((), ())
    assert list(here.target().records()) == []
    assert list(here.place.leaks()) == []
    here.answers_nothing()
    here.removes_everything()
    done = expect(here.release("three"), 0).done
    assert done.number == 3
    here.answers("three")


@scenario(needs=[Collects])
def clean_up_leaves_the_way_back(here: Here) -> None:
    """What is kept can come back with its secret values, the rest is gone, and nothing is left to clean up."""
    for number in range(1, 6):
        here.knows(LICENCE=f"value {number}")
        expect(here.release(f"release {number}"), 0)
    target = here.target()
    assert isinstance(target, Collects)
    images = {record.main.config_digest for record in target.records() if record.number == 4}
    found, now = target.garbage([4], images), target.observe()
    assert found, "four releases that nobody keeps leave no garbage"
    gone = target.collect(found, now.stamp, now.seen)
    assert set(gone) <= set(found), "what went was never told to be garbage"
    assert list(target.garbage([4], images)) == []
    here.answers("release 5")
    here.lost_nothing()
    expect(here.rollback(), 0)
    here.answers("release 4")
    here.answers("value 5" if target.traits.secrets_change_in_place else "value 4", "/secrets/LICENCE")


@scenario(needs=[Collects])
def clean_up_never_takes_what_serves(here: Here) -> None:
    """What came into use since it was found to be garbage is left alone."""
    for text in ("one", "two"):
        expect(here.release(text), 0)
    target = here.target()
    assert isinstance(target, Collects)
    found = target.garbage([], ())
    expect(here.rollback(), 0)
    now = target.observe()
    target.collect(found, now.stamp, now.seen)
    here.answers("one")
    expect(here.release("three"), 0)


@scenario()
def progress_never_blocks(here: Here) -> None:
    """A revision that does not become ready is told again and again, never more than half a second apart."""
    expect(here.release("one"), 0)
    target = here.target()
    now = target.observe()
    release = here.a_release("two", "never-ready")
    applied = target.create if isinstance(target, SplitsTraffic) else as_replacing(target).replace
    steps, last = target.progress(applied(release, now.stamp, now.seen)), time.monotonic()
    for _ in range(8):
        step, at = next(steps), time.monotonic()
        assert step.state == "waiting", f"it says {step.state}: {step.reason}"
        assert at - last < LONGEST_STEP, f"{at - last:.1f} s until the next step"
        last = at
    here.answers("one")


def as_replacing(target: Target) -> Replaces:
    """Every target splits traffic or replaces."""
    assert isinstance(target, Replaces)
    return target
