"""The API server's answers as errors of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shipper.targets import Conflict, Denied, Invalid, NotFound, PlatformError, Transient
from shipper_targets.kubernetes.kube_errors import Gone, Immutable, Owned, error_of, is_status, manager_of, one_line

pytestmark = pytest.mark.unit


def status(message: str, reason: str = "", causes: list[dict[str, str]] | None = None) -> bytes:
    told: dict[str, Any] = {"kind": "Status", "message": message, "reason": reason}
    if causes is not None:
        told["details"] = {"causes": causes}
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("code", "message", "reason", "kind"),
    [
        (401, "Unauthorized", "Unauthorized", Denied),
        (403, 'pods is forbidden: User "ci" cannot list resource "pods"', "Forbidden", Denied),
        (403, 'pods "a" is forbidden: exceeded quota: q, requested: cpu=2', "Forbidden", Invalid),
        (403, 'pods "a" is forbidden: violates PodSecurity "restricted:latest"', "Forbidden", Invalid),
        (403, "namespace shop because it is being terminated", "Forbidden", Invalid),
        (403, 'admission webhook "policy" denied the request: no :latest', "Forbidden", Invalid),
        (403, 'admission webhook "p" denied the request: User "ci" cannot have :latest', "Forbidden", Invalid),
        (403, 'admission webhook "p" denied the request: User 0 is not allowed', "Forbidden", Invalid),
        (403, 'pods "a" is forbidden: no PriorityClass with name high was found', "Forbidden", Invalid),
        (403, 'pods "a" is forbidden: pod rejected: RuntimeClass "nvidia" not found', "Forbidden", Invalid),
        (403, 'pods "a" is forbidden: error looking up service account shops/shop: not found', "Forbidden", Invalid),
        (403, 'pods "a" is forbidden: cpu max limit to request ratio per Container is 2', "Forbidden", Invalid),
        (403, "pods is forbidden: pod node label selector conflicts with its namespace", "Forbidden", Invalid),
        (403, 'nodes is forbidden: User "system:anonymous" cannot list resource "nodes"', "Forbidden", Denied),
        (
            403,
            'roles is forbidden: user "ci" (groups=["a" "b"]) is attempting to grant RBAC permissions not held',
            "Forbidden",
            Denied,
        ),
        (403, "the node was not yet ready to handle request", "Forbidden", Transient),
        (404, 'deployments.apps "shop" not found', "NotFound", NotFound),
        (409, "the object has been modified", "Conflict", Conflict),
        (409, 'services "shop" already exists', "AlreadyExists", Conflict),
        (410, "too old resource version", "Expired", Gone),
        (422, 'Deployment.apps "shop" is invalid: spec.replicas: Invalid value', "Invalid", Invalid),
        (429, "too many requests", "TooManyRequests", Transient),
        (500, "etcdserver: leader changed", "InternalError", Transient),
        (
            500,
            "failed to create typed patch object (a/b; apps/v1): .spec.bogus: field not declared in schema",
            "",
            Invalid,
        ),
        (400, "strict decoding error: unknown field", "BadRequest", Invalid),
        (503, "no endpoints available", "ServiceUnavailable", Transient),
        (504, "timed out", "Timeout", Transient),
    ],
)
def test_each_answer_is_an_error_of_ours(code: int, message: str, reason: str, kind: type[PlatformError]) -> None:
    found = error_of("apply Deployment shop", code, status(message, reason))
    assert type(found) is kind or (isinstance(found, kind) and kind is Invalid)
    assert str(found).startswith("apply Deployment shop")


def test_a_conflict_of_managers_names_field_and_owner() -> None:
    causes = [{"message": 'conflict with "hpa-like" using apps/v1', "field": ".spec.replicas"}]
    found = error_of("apply Deployment shop", 409, status("Apply failed with 1 conflict", "Conflict", causes))
    assert isinstance(found, Owned)
    assert str(found) == 'apply Deployment shop: spec.replicas is owned by "hpa-like" using apps/v1'
    assert manager_of(found.owners[".spec.replicas"][0]) == "hpa-like"


def test_an_immutable_field_is_told_apart() -> None:
    causes = [{"message": "Invalid value: {}: field is immutable", "field": "spec.selector"}]
    found = error_of("apply", 422, status("is invalid", "Invalid", causes))
    assert isinstance(found, Immutable)
    assert found.fields == ("spec.selector",)


def test_what_is_no_answer_of_the_api_server_is_told_as_it_is() -> None:
    found = error_of("list pods", 502, b"<html>Bad Gateway</html>")
    assert isinstance(found, Transient)
    assert "Bad Gateway" in str(found)
    assert not is_status(b"<html>")
    assert is_status(status("x"))


def test_a_proxy_that_refuses_says_nothing_of_the_object() -> None:
    assert isinstance(error_of("apply", 403, b"<html>Forbidden by policy</html>"), Denied)


def test_a_long_message_keeps_the_reason_at_its_end() -> None:
    object_text = json.dumps(json.dumps({"apiVersion": "apps/v1", "spec": "x" * 2000}))
    found = error_of(
        "change", 422, status(f'"" is invalid: patch: Invalid value: {object_text}: strict decoding error')
    )
    assert str(found).endswith("strict decoding error")
    assert len(str(found)) < 800
    assert len(one_line("a" * 5000)) <= 701


def test_a_member_of_a_secret_that_is_no_text_is_not_told() -> None:
    words = ".password: expected string, got &value.valueUnstructured{Value:123456}"
    message = f"failed to create typed patch object (shops/c; /v1, Kind=%s): errors:\n  {words}\n  {words}"
    told = str(error_of("apply Secret c", 500, status(message % "Secret")))
    assert "123456" not in told
    assert told.endswith(".password: expected string, got (not shown)")
    assert "123456" in str(error_of("apply ConfigMap c", 500, status(message % "ConfigMap")))
