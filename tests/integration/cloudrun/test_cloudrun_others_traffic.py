"""Others' tags, others' traffic on its way, and a dead run's first attempt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.cloud import run_v2

from shipper.errors import Conflict, Invalid
from tests.integration.cloudrun.conftest import Place

pytestmark = pytest.mark.integration


@pytest.fixture
def unrouted(place: Place) -> Iterator[Place]:
    """The platform accepts writes, and does not come to them."""
    yield place
    place.google.hands.set_stuck(place.project, "")
    place.google.state.nudge()


def ask_for(place: Place, *traffic: run_v2.TrafficTarget, template: run_v2.RevisionTemplate | None = None) -> None:
    """As somebody with a console."""
    service = run_v2.Service(place.service())
    service.traffic = list(traffic) or service.traffic
    if template is not None:
        service.template = template
    place.google.state.update_service(service, ["traffic", "template"] if template is not None else ["traffic"])


def named(name: str, percent: int = 0, tag: str = "") -> run_v2.TrafficTarget:
    return run_v2.TrafficTarget(type_=2, revision=name, percent=percent, tag=tag)


def test_what_is_routed_serves_while_somebody_elses_traffic_is_on_its_way(unrouted: Place) -> None:
    place = unrouted
    one, two, _ = (place.released(number) for number in range(1, 4))
    place.shift({two.name: 100})
    place.settled()
    place.google.hands.set_stuck(place.project, "reconcile")
    ask_for(place, named(one.name, 100))
    target = place.target()
    now = target.observe()
    assert {each.name: each.weight for each in now.serving} == {two.name: 100}
    assert [(each.field, each.found) for each in now.drift] == [("traffic", f"{one.name} 100 %")]
    assert target.garbage([], ()) == []
    for name in (one.name, two.name):
        with pytest.raises(Invalid, match="has traffic"):
            target.retire([each for each in now.revisions if each.name == name], "warm", place.stamp(now), now.seen)


def test_a_step_of_a_canary_leaves_it_and_another_runs_takes_it_over(
    unrouted: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipper_targets.cloudrun.routing.SETTLED", 0.2)
    place = unrouted
    one, two = place.released(1), place.created(place.release(2))
    place.shift({one.name: 90, two.name: 10})
    place.settled()
    place.google.hands.set_stuck(place.project, "reconcile")
    ask_for(place, named(one.name, 100))
    target = place.target()
    now = target.observe()
    with pytest.raises(Conflict, match=f"somebody else asked for {one.name} 100 %"):
        target.shift({one.name: 50, two.name: 50}, place.stamp(now), now.seen)
    assert {each.revision: each.percent for each in place.service().traffic} == {one.name: 100}
    place.google.hands.set_stuck(place.project, "")
    place.epoch = 2
    place.shift({two.name: 100})
    assert place.serves() == {two.name: 100}


def test_a_dead_runs_first_attempt_does_not_hand_its_traffic_to_the_next(place: Place) -> None:
    slow = place.create(place.release(1, "slow"))
    two = place.create(place.release(2))
    assert two.weight == 0
    place.until(lambda: next(one for one in place.target().revisions() if one.name == two.name).state == "running")
    assert place.serves() == {slow.name: 100}
    assert {each.revision: each.percent for each in place.service().traffic} == {slow.name: 100, two.name: 0}
    place.shift({two.name: 100})
    assert place.serves() == {two.name: 100}, "only when it is asked to"


def test_a_foreign_tag_of_a_revision_that_does_not_start_blocks_no_shift(place: Place) -> None:
    one = place.released(1)
    place.released(2)
    place.settled()
    template = run_v2.RevisionTemplate(place.service().template)
    template.revision, template.annotations = "shop-dev-theirs", {}
    template.containers[0].image = f"europe-west1-docker.pkg.dev/{place.project}/images/crash"
    ask_for(place, *place.service().traffic, named("shop-dev-theirs", tag="test"), template=template)
    place.settled()
    place.shift({one.name: 100})
    assert place.serves() == {one.name: 100}
    assert any("tag test of shop-dev-theirs was taken away" in remark for remark in place.told.remarks)


def test_a_foreign_tag_that_follows_the_latest_goes_on_doing_so(place: Place) -> None:
    place.released(1)
    place.settled()
    ask_for(place, *place.service().traffic, run_v2.TrafficTarget(type_=1, tag="newest"))
    place.settled()
    three = [place.released(number) for number in (2, 3)][-1]
    found = {each.tag: (int(each.type_), each.revision, each.percent) for each in place.service().traffic}
    assert found == {"newest": (1, "", 0), "": (2, three.name, 100)}
    assert place.target().observe().drift == ()
