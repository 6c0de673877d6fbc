"""Asking a revision by its tag at the ingress, through its pods, and from inside; its log; a command before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shipper.model import ProbeRequest
from shipper.targets import Transient
from tests.conformance.registry_images import RegistryImages
from tests.integration.knative.knative_place import KnativePlace, weights
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

IMAGES = RegistryImages()


@pytest.fixture(scope="module", autouse=True)
def images(knative_rig: KubeRig) -> Iterator[None]:
    yield
    IMAGES.close()


@pytest.fixture
def shop(knative_rig: KubeRig) -> Iterator[KnativePlace]:
    """Its pods really run."""
    namespace = knative_rig.namespace("kn")
    yield KnativePlace(knative_rig, namespace, address=knative_rig.edge_url)
    knative_rig.drop(namespace)


def test_each_revision_answers_for_itself(shop: KnativePlace) -> None:
    first = shop.goes_out(shop.release(image=IMAGES("good", "one")))
    second = shop.creates(shop.release(image=IMAGES("good", "two")))
    assert shop.follows(second).state == "ready"
    request = ProbeRequest(path="/", timeout=10)

    by_tag = shop.target().probe(second, request)
    by_address = shop.target().probe(first, request)
    shop.own["address"] = None
    through_a_pod = shop.target().probe(second, request)
    inside = shop.target().ask(request)

    assert (by_tag.body, by_tag.revision) == (b"two", second.name)
    assert (by_address.body, by_address.revision) == (b"one", first.name)
    assert (through_a_pod.body, through_a_pod.revision) == (b"two", second.name)
    assert (inside.body, inside.revision) == (b"one", first.name)


def test_a_share_of_the_traffic_is_asked_inside_and_outside(shop: KnativePlace) -> None:
    first = shop.goes_out(shop.release(image=IMAGES("good", "one")))
    second = shop.creates(shop.release(image=IMAGES("good", "two")))
    shop.follows(second)
    target = shop.target()
    target.shift({first.name: 50, second.name: 50}, shop.stamp(), target.observe().seen)
    assert weights(target.observe()) == {first.name: 50, second.name: 50}

    asked = {target.ask(ProbeRequest(path="/", timeout=10)).body for _ in range(30)}

    assert asked == {b"one", b"two"}


def test_who_has_no_pods_cannot_be_asked_inside(shop: KnativePlace) -> None:
    shop.rig.nodes.behave("missing", namespace=shop.namespace)
    shop.own["address"] = None
    revision = shop.creates(shop.release())
    assert shop.follows(revision).state == "failed"
    with pytest.raises(Transient, match="no pod that runs"):
        shop.target().probe(revision, ProbeRequest(timeout=2))


def test_a_command_runs_once_in_the_image_and_leaves_nothing(shop: KnativePlace) -> None:
    from shipper_targets.kubernetes.kinds import JOB

    shop.sections = {"run": {"env": {"MODE": "fast"}}}
    release = shop.release(image=IMAGES("good", "one"))
    words = "import os; print('mode', os.environ['MODE'], os.environ['PORT']); raise SystemExit(7)"

    status = shop.target().run_once(release, ["python", "-c", words])

    assert status == 7
    assert "mode fast 8080" in shop.remarks
    assert shop.api.list(JOB).items == ()


def test_the_log_of_a_revision(shop: KnativePlace) -> None:
    shop.rig.nodes.behave("crash", namespace=shop.namespace, code=3, lines=["cannot load the model"])
    shop.rig.nodes.time_factor(0.05, shop.namespace)
    revision = shop.creates(shop.release())
    assert shop.follows(revision).state == "failed"
    assert "cannot load the model" in list(shop.target().logs(revision, lines=10))
