"""A service leaves its Gateway for an Ingress of the same host: who still comes by the HTTPRoute gets what serves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.e2e.cluster.namespace_place import BASE
from tests.e2e.cluster.tiny_cluster import KubePlaces, Shape, TinyCluster
from tests.e2e.machine import Ended, must

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def released(place: TinyCluster) -> Ended:
    """Another release; users get it when the command says that it serves."""
    text = place.next_text()
    ended = place.release(text)
    must(ended)
    assert place.text() == text, (place.serves, ended)
    return ended


@pytest.mark.parametrize("shape", ["blue-green", "rolling"])
def test_users_get_what_serves_after_the_gateway_was_left(kube_places: KubePlaces, shape: Shape) -> None:
    by_gateway = kube_places.fresh("canary")
    by_gateway.served()
    with_route = released(by_gateway)
    by_ingress = replace(by_gateway, shape=shape)
    for _ in range(4):
        released(by_ingress)
    routes = [one["spec"]["rules"][0]["backendRefs"][0]["name"] for one in by_ingress.objects("httproutes")]
    # With rolling the Deployment that had it is the way back for longer, and so is what belongs to it.
    assert routes == ([] if shape == "blue-green" else [BASE])

    before = by_ingress.text()
    to = f"#{with_route.finished['serves']['number']}"
    must(by_ingress.run(*by_ingress.rollback_words, "--to", to))
    assert by_ingress.text() not in (None, before)
    released(by_gateway)
