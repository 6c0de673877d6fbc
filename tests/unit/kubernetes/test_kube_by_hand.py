"""What somebody added to the pods with kubectl is told, for it stays: an apply takes away only what is its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.observing import observation_of
from tests.unit.kubernetes.kube_found import deployment, found, revision, service
from tests.unit.kubernetes.kube_rendering import own

pytestmark = pytest.mark.unit

MAIN = 'k:{"name":"main"}'
OURS = {
    "f:containers": {
        MAIN: {
            ".": {},
            "f:args": {},
            "f:env": {'k:{"name":"MODE"}': {".": {}, "f:name": {}}},
            "f:volumeMounts": {'k:{"mountPath":"/tmp"}': {".": {}}},
        }
    },
    "f:volumes": {'k:{"name":"tmp"}': {".": {}}},
}


def owned(manager: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {"f:spec": spec}}}}


def where(name: str = "shop", /, **spec: Any) -> Found:
    """`spec`: what the manager `kubectl-set` owns of the pods."""
    one = deployment(1, name=name)
    one["metadata"] |= {
        "namespace": "shops",
        "managedFields": [owned("shipper", OURS), owned("kubectl-set", spec)],
    }
    return found(deployments=[one], service=service(name))


def told_of(state: Found) -> tuple[str, ...]:
    return observation_of(state, own()).remarks


def test_a_variable_that_was_added_is_named_with_how_to_take_it_away() -> None:
    state = where(**{"f:containers": {MAIN: {"f:env": {'k:{"name":"EVIL"}': {".": {}, "f:name": {}, "f:value": {}}}}}})
    (told,) = told_of(state)
    assert told == (
        "somebody added the variable EVIL to container main of Deployment shop with kubectl: it stays, at a release "
        "and a rollback too, until it is taken away (kubectl set env -n shops deployment/shop -c main EVIL-)"
    )


def test_what_kubectl_rollout_undo_brought_back_was_ours() -> None:
    container = {"name": "main", "envFrom": [{"configMapRef": {"name": "shop-env"}}], "env": [{"name": "MODE"}]}
    body = deployment(1)
    body["spec"] = {"template": {"spec": {"containers": [container], "volumes": [{"name": "tmp"}]}}}
    spec: dict[str, Any] = {"f:containers": {MAIN: {"f:envFrom": {}}}, "f:volumes": {'k:{"name":"tmp"}': {".": {}}}}
    assert "envFrom" in told_of(where(**spec))[0]
    assert told_of(replace(where(**spec), applied=[Manifest(body)])) == ()


def test_of_a_revision_of_its_own_it_is_that_revisions() -> None:
    spec: dict[str, Any] = {"f:containers": {MAIN: {"f:env": {'k:{"name":"EVIL"}': {}}}}}
    (told,) = told_of(where(revision(1), **spec))
    assert "it comes back with this revision, until it is taken away" in told


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"f:containers": {MAIN: {"f:command": {}}}}, "command to container main of"),
        ({"f:containers": {MAIN: {"f:envFrom": {}}}}, "envFrom to container main of"),
        ({"f:containers": {MAIN: {"f:volumeMounts": {'k:{"mountPath":"/x"}': {}}}}}, "the mount /x to container main"),
        ({"f:volumes": {'k:{"name":"x"}': {".": {}}}}, "the volume x to Deployment shop"),
        ({"f:containers": {'k:{"name":"side"}': {".": {}}}}, "the container side to Deployment shop"),
        ({"f:initContainers": {'k:{"name":"wait"}': {".": {}}}}, "the container wait to Deployment shop"),
    ],
)
def test_what_else_was_added(spec: dict[str, Any], what: str) -> None:
    (told,) = told_of(where(**spec))
    assert f"somebody added {what}" in told
    assert told.endswith("(kubectl edit -n shops deployment/shop)")


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"f:containers": {MAIN: {"f:env": {'k:{"name":"MODE"}': {"f:value": {}}}}}},
        {"f:containers": {MAIN: {"f:args": {}, "f:image": {}, "f:imagePullPolicy": {}}}},
        {"f:volumes": {'k:{"name":"tmp"}': {"f:emptyDir": {}}}},
        {"f:dnsPolicy": {}, "f:restartPolicy": {}},
    ],
    ids=["nothing", "a value of ours is drift", "so are other fields of ours", "and volumes", "what is filled in"],
)
def test_fields_that_are_ours_or_filled_in_are_no_addition(spec: dict[str, Any]) -> None:
    assert told_of(where(**spec)) == ()


def test_what_an_operator_added_is_its_business() -> None:
    state = where()
    (one,) = state.deployments
    spec: dict[str, Any] = {"f:containers": {MAIN: {"f:env": {'k:{"name":"INJECTED"}': {}}}}}
    one["metadata"]["managedFields"].append(owned("mesh-injector", spec))
    assert told_of(state) == ()


def test_a_revision_without_traffic_is_not_looked_at() -> None:
    state = where(**{"f:volumes": {'k:{"name":"x"}': {}}})
    assert told_of(found(deployments=state.deployments, service=service("another"))) == ()
