"""The pure part of the rig's ingress layer for Knative: what is carried, what is said, what a test holds back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rig.kubernetes.knative import INGRESS_CLASS
from tests.rig.kubernetes.router.gateway_routes import Verdict
from tests.rig.kubernetes.router.knative_ingresses import FAILED, Found, KnativeIngresses, carried, status_of

pytestmark = pytest.mark.unit

READY = Verdict(True, "")


def ingress(generation: int, *, namespace: str = "ns", uid: str = "u1", kind: str = INGRESS_CLASS) -> dict[str, Any]:
    annotations = {"networking.knative.dev/ingress.class": kind}
    metadata = {"namespace": namespace, "name": "shop", "uid": uid, "generation": generation}
    return {"metadata": {**metadata, "annotations": annotations}, "spec": {"rules": []}}


def test_each_generation_is_carried_and_said_to_be() -> None:
    layer = KnativeIngresses()
    for generation in (1, 2):
        now = ingress(generation)
        assert layer.look([now]) == [Found(now, now, READY)]


def test_what_is_held_stays_as_it_was_and_nothing_is_said_of_the_new() -> None:
    layer = KnativeIngresses()
    old, new = ingress(1), ingress(3)
    layer.look([old])
    layer.hold("ns")
    assert layer.look([old]) == [Found(old, old, READY)]
    for _ in range(2):
        assert layer.look([new]) == [Found(new, old, None)]
    assert list(carried(layer.look([new]))) == [old]

    layer.release("ns")
    assert layer.look([new]) == [Found(new, new, READY)]


def test_a_failure_is_said_of_the_new_generation_alone() -> None:
    layer = KnativeIngresses()
    old, new = ingress(1), ingress(2)
    layer.look([old])
    layer.hold("ns", "no certificate")
    assert layer.look([old]) == [Found(old, old, READY)]
    assert layer.look([new]) == [Found(new, old, Verdict(False, FAILED, "no certificate"))]
    layer.hold("ns")
    assert layer.look([new]) == [Found(new, old, None)]
    assert layer.held == {"ns": ""}


def test_the_first_one_and_another_of_its_name_have_nothing_before_them() -> None:
    layer = KnativeIngresses()
    layer.hold("ns")
    first, second = ingress(1), ingress(1, uid="u2")
    assert layer.look([first]) == [Found(first, None, None)]
    assert list(carried(layer.look([first]))) == []

    layer.release("ns")
    layer.look([first])
    layer.hold("ns")
    assert layer.look([second]) == [Found(second, None, None)]


def test_other_namespaces_go_on() -> None:
    layer = KnativeIngresses()
    layer.hold("ns")
    held, free = ingress(2), ingress(2, namespace="other")
    assert layer.look([held, free]) == [Found(held, None, None), Found(free, free, READY)]


def test_what_is_deleted_while_it_is_held_is_not_routed_any_more() -> None:
    layer = KnativeIngresses()
    layer.look([ingress(1)])
    layer.hold("ns")
    assert layer.look([]) == []
    assert list(carried(layer.look([ingress(2)]))) == []


def test_another_class_is_another_layers() -> None:
    assert KnativeIngresses().look([ingress(1, kind="kourier.ingress.networking.knative.dev")]) == []


def test_the_status_is_about_the_generation_and_keeps_the_way_in_when_it_fails() -> None:
    good = status_of(ingress(4), READY)
    assert good["observedGeneration"] == 4
    assert {one["type"]: one["status"] for one in good["conditions"]} == {
        "LoadBalancerReady": "True",
        "NetworkConfigured": "True",
        "Ready": "True",
    }
    assert good["publicLoadBalancer"]["ingress"] == good["privateLoadBalancer"]["ingress"]

    bad = status_of(ingress(5), Verdict(False, FAILED, "no certificate"))
    told = next(one for one in bad["conditions"] if one["type"] == "Ready")
    assert (told["status"], told["reason"], told["message"]) == ("False", FAILED, "no certificate")
    assert "publicLoadBalancer" not in bad
