"""Ingress, access and the smallest number of instances: they come and go with all of the traffic."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import run_v2

from tests.integration.cloudrun.conftest import Place, over_both

pytestmark = pytest.mark.integration


def held(place: Place) -> tuple[bool, int]:
    """Whether everybody may ask, and how many instances there are at least."""
    service = place.service()
    return service.invoker_iam_disabled, service.scaling.min_instance_count


def by_hand(place: Place, *paths: str, **values: Any) -> None:
    service = run_v2.Service(place.service())
    for name, value in values.items():
        setattr(service, name, value)
    place.google.state.update_service(service, list(paths))
    place.settled()


def test_a_release_that_fails_opens_nothing(place: Place) -> None:
    one = place.released(1)
    place.own = {"access": "public"}
    bad = place.create(place.release(2, "crash", scale={"min": 7, "max": 9}))
    assert place.last_step(bad).state == "failed"
    assert held(place) == (False, 0)
    place.shift({one.name: 100})
    assert held(place) == (False, 0)
    assert place.target().observe().drift == ()


@over_both
def test_it_comes_with_all_of_the_traffic_and_goes_with_a_rollback(place: Place) -> None:
    one = place.released(1)
    place.own = {"access": "public"}
    two = place.created(place.release(2, scale={"min": 2, "max": 9}))
    assert "ingress" not in place.writes()[-1]["mask"]
    place.shift({one.name: 50, two.name: 50})
    assert held(place) == (False, 0)
    place.shift({two.name: 100})
    assert held(place) == (True, 2)
    assert place.target().observe().drift == ()
    place.epoch = 2
    place.own = {"access": "public"}  # the machine's settings do not matter: the record's do
    place.shift({one.name: 100})
    assert held(place) == (False, 0)
    assert place.target().observe().drift == ()


def test_a_first_create_has_it_at_once(place: Place) -> None:
    place.own = {"access": "public"}
    place.last_step(place.create(place.release(1, "crash")))
    assert held(place) == (True, 0)
    place.own = {}
    place.created(place.release(2, scale={"min": 1}))  # serves as soon as it is ready: nothing did
    assert held(place) == (False, 1)


def test_what_was_changed_by_hand_during_a_bake_stays_drift(place: Place) -> None:
    one = place.released(1)
    two = place.created(place.release(2))
    place.shift({one.name: 90, two.name: 10})
    place.settled()
    template = run_v2.RevisionTemplate(place.service().template)
    template.revision = ""
    template.containers[0].env.append(run_v2.EnvVar(name="HOTFIX", value="1"))
    by_hand(place, "template", "invoker_iam_disabled", template=template, invoker_iam_disabled=True)
    fields = ["invoker_iam_disabled", "template.containers.0.env.HOTFIX", "template.revision"]
    assert [each.field for each in place.target().observe().drift] == fields
    place.shift({two.name: 100})
    assert [each.field for each in place.target().observe().drift] == fields
    assert held(place) == (True, 0), "theirs"
    place.epoch = 2
    place.shift({one.name: 100})
    assert place.target().observe().drift == (), "another run's first write takes it over"
    assert held(place) == (False, 0)


def test_what_was_before_shipper_gets_its_own_back(place: Place) -> None:
    parent, name = place.resource.rsplit("/services/", 1)
    container = run_v2.Container(image="docker.io/library/good", ports=[run_v2.ContainerPort(container_port=8080)])
    foreign = run_v2.Service(
        template=run_v2.RevisionTemplate(containers=[container]),
        invoker_iam_disabled=True,
        scaling=run_v2.ServiceScaling(min_instance_count=3),
    )
    place.google.state.create_service(parent, name, foreign)
    place.until(lambda: bool(place.service().traffic_statuses))
    place.settled()
    (zero,) = place.target().observe().serving
    one = place.created(place.release(1))
    assert held(place) == (True, 3)
    place.shift({one.name: 100})
    assert held(place) == (False, 0)
    place.shift({zero.name: 100})
    assert held(place) == (True, 3)
    assert place.target().observe().drift == ()
