"""Asking a revision, and counting what users asked."""

from __future__ import annotations

from collections import Counter

from shipper.errors import Transient
from shipper.model import ProbeRequest, Traffic
from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.scenario import scenario
from shipper.targets.protocol import AsksInside, Measures, Probes, SplitsTraffic

ASKED = 50


@scenario(needs=[SplitsTraffic, Probes], trait="probes_revisions")
def a_revision_without_traffic_answers(here: Here) -> None:
    """It can be asked before any user reaches it, and says which revision it is."""
    expect(here.release("one"), 0)
    target = here.target()
    assert isinstance(target, SplitsTraffic)
    assert isinstance(target, Probes)
    now = target.observe()
    revision = target.create(here.a_release("two"), now.stamp, now.seen)
    assert list(target.progress(revision))[-1].state == "ready"
    response = target.probe(revision, ProbeRequest(path="/"))
    assert (response.status, response.body) == (200, b"two")
    assert response.revision in (None, revision.name)
    here.answers("one")


@scenario(needs=[SplitsTraffic, Probes], trait="probes_revisions")
def a_revision_that_crashed_does_not_answer(here: Here) -> None:
    """Transient, in good time; never somebody else's answer."""
    expect(here.release("one"), 0)
    target = here.target()
    assert isinstance(target, SplitsTraffic)
    assert isinstance(target, Probes)
    now = target.observe()
    revision = target.create(here.a_release("two", "crash-loop"), now.stamp, now.seen)
    assert list(target.progress(revision))[-1].state == "failed"
    try:
        response = target.probe(revision, ProbeRequest(path="/", timeout=2.0))
    except Transient:
        return
    assert response.body != b"one", "another revision answered for it"
    assert response.status >= 500


@scenario(needs=[AsksInside])
def asking_from_inside(here: Here) -> None:
    """The address, asked from where the target is, answers as it does for users."""
    expect(here.release("one"), 0)
    target = here.target()
    assert isinstance(target, AsksInside)
    response = target.ask(ProbeRequest(path="/"))
    assert (response.status, response.body) == (200, b"one")


@scenario(needs=[Measures])
def requests_are_counted_exactly(here: Here) -> None:
    """Each request once, for the revision that answered it; probes are nobody's requests."""
    done = expect(here.release("one"), 0).done
    target = here.target()
    assert isinstance(target, Measures)
    before = target.measure().get(done.revision, Traffic())
    for _ in range(ASKED):
        assert here.place.ask().status == 200
    after = target.measure()[done.revision]
    assert after.requests - before.requests == ASKED
    assert after.errors == before.errors
    slowest = max(after.buckets)
    assert after.buckets[slowest] - before.buckets.get(slowest, 0) == ASKED


@scenario(needs=[Measures])
def errors_are_counted_exactly(here: Here) -> None:
    """A 5xx answer is an error, and a request."""
    done = expect(here.release("one", "failing"), 0).done
    target = here.target()
    assert isinstance(target, Measures)
    before = target.measure().get(done.revision, Traffic())
    for _ in range(5):
        assert here.place.ask().status == 500
    after = target.measure()[done.revision]
    assert (after.requests - before.requests, after.errors - before.errors) == (5, 5)


@scenario(needs=[SplitsTraffic, Measures])
def shares_are_counted_for_each_revision(here: Here) -> None:
    """While two share the traffic each has its own counts, and together they are what was asked."""
    old = expect(here.release("one"), 0).done
    new = expect(here.release("two"), 0).done
    target = here.target()
    assert isinstance(target, SplitsTraffic)
    assert isinstance(target, Measures)
    now = target.observe()
    target.shift({old.revision: 50, new.revision: 50}, now.stamp, now.seen)
    before = {name: traffic.requests for name, traffic in target.measure().items()}
    answered = Counter(here.place.ask().body.decode() for _ in range(ASKED))
    after = {name: traffic.requests for name, traffic in target.measure().items()}
    counted = {name: after[name] - before.get(name, 0) for name in (old.revision, new.revision)}
    assert counted == {old.revision: answered["one"], new.revision: answered["two"]}
    assert sum(counted.values()) == ASKED
