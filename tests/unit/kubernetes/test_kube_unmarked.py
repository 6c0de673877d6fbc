"""Our labels taken away by hand: what serves is what the Service asks, and goes when the service does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.model import Stamp
from shipper.targets import Denied, HalfDone, Invalid
from shipper_targets.kubernetes.carriers import Fence
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.labels import labels_of
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.observing import observation_of
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.removing import Removing
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.writing_weighted import WeightedWriting
from tests.unit.kubernetes.kube_api import Json, Server
from tests.unit.kubernetes.kube_found import deployment, revision, service
from tests.unit.kubernetes.kube_rendering import own, settings_of

pytestmark = pytest.mark.unit

SETTINGS, OWN = settings_of(), own()


def standing() -> tuple[Server, Json]:
    """Release 1 serves, and its Deployment is of no service by its labels."""
    live, front = deployment(1, name=revision(1)), service(revision(1))
    live["metadata"]["labels"] = {"app.kubernetes.io/name": "shop"}
    front["metadata"]["labels"] = labels_of(SETTINGS, "shop")
    front["metadata"]["annotations"] = {"shipper.dev/stamp": Stamp(epoch=1, highest=1).model_dump_json()}
    return Server(live, front), live


def reading(server: Any) -> Reading:
    return Reading(server, SETTINGS, OWN, "weighted")


def remove(server: Any) -> None:
    read = reading(server)
    fence, manifests = Fence(server, read, SETTINGS, OWN), Manifests(read.records, OWN, Source(OWN, Path("/"), None))
    writing = WeightedWriting(server, read, fence, manifests, SETTINGS, OWN)
    Removing(writing).remove(Stamp(epoch=1, highest=1), read.now().seen)


def serving(state: Found) -> list[str]:
    return [one.name for one in observation_of(state, OWN).serving]


def test_what_the_service_asks_serves_with_and_without_our_labels() -> None:
    server, _ = standing()
    assert serving(reading(server).now()) == [revision(1)]


def test_what_is_not_ours_is_not_made_ours() -> None:
    server, live = standing()
    live["metadata"]["annotations"] = {}
    assert list(reading(server).now().deployments) == []


def test_it_goes_with_the_service() -> None:
    server, _ = standing()
    remove(server)
    assert ("delete", f"Deployment/{revision(1)}") in [(verb, what) for verb, what, _ in server.writes]


def knatives() -> Server:
    """What Knative makes of a Service of the same name: its own objects, with our labels on them."""
    server, live = standing()
    live["metadata"]["labels"] = labels_of(SETTINGS, "shop")
    for one in server.objects.values():
        maker = {"kind": "Route", "name": "shop", "uid": "route", "controller": True}
        one["metadata"]["ownerReferences"] = [maker]
    return server


def test_what_a_controller_made_is_nobodys_to_take_although_it_has_our_labels() -> None:
    server = knatives()
    state = reading(server).now()
    assert [*state.deployments, *state.services] == []
    assert state.stamp == Stamp()
    with pytest.raises(Invalid, match="Service shop is made by Route shop"):
        remove(server)
    assert server.writes == []


def test_a_removal_that_is_refused_half_way_says_that_a_part_is_gone() -> None:
    class Guarded(Server):
        def delete(self, kind: Kind, name: str, **more: Any) -> None:
            if kind.kind == "Deployment":
                raise Denied(f"delete Deployment {name}: a policy")
            super().delete(kind, name, **more)

    alone, live = standing()
    with pytest.raises(Denied):
        remove(Guarded(*alone.objects.values()))
    job = {"kind": "Job", "metadata": {"name": "job", "uid": "job", "labels": labels_of(SETTINGS, "shop")}}
    live["metadata"]["labels"] = labels_of(SETTINGS, "shop")
    with pytest.raises(HalfDone, match="a policy"):
        remove(Guarded(job, *alone.objects.values()))
