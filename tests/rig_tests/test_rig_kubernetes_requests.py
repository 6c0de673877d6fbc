"""How the gate understands a request: as an authorizer would, and whether something may be stored."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from tests.rig.kubernetes.gate.requests import Request, understand
from tests.rig.kubernetes.gate.statuses import status

pytestmark = pytest.mark.unit


def understood(method: str, url: str, body: bytes | None = None, kind: str = "application/json") -> Request:
    found = understand(method, urlsplit(url), {"content-type": kind, "user-agent": "kubectl"}, body)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("method", "url", "words"),
    [
        ("GET", "/api/v1/namespaces/shop/pods", "list pods shop -"),
        ("GET", "/api/v1/pods?watch=1", "watch pods - -"),
        ("GET", "/api/v1/watch/namespaces/shop/pods", "watch pods shop -"),
        ("GET", "/api/v1/namespaces/shop/pods/web", "get pods shop web"),
        ("GET", "/api/v1/namespaces/shop/pods/web/log?follow=true", "get pods/log shop web"),
        ("POST", "/apis/apps/v1/namespaces/shop/deployments", "create deployments.apps shop -"),
        ("PUT", "/apis/apps/v1/namespaces/shop/deployments/web/scale", "update deployments.apps/scale shop web"),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", "patch deployments.apps shop web"),
        ("DELETE", "/api/v1/namespaces/shop/pods/web", "delete pods shop web"),
        ("DELETE", "/api/v1/namespaces/shop/pods", "deletecollection pods shop -"),
        ("GET", "/api/v1/namespaces", "list namespaces - -"),
        ("GET", "/api/v1/namespaces/shop", "get namespaces shop shop"),
        ("PUT", "/api/v1/namespaces/shop/finalize", "update namespaces/finalize shop shop"),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/a", "get clusterroles.rbac.authorization.k8s.io - a"),
        ("POST", "/api/v1/namespaces/shop/services/web:80/proxy/ask", "create services/proxy shop web:80"),
    ],
)
def test_a_request_is_named_as_rbac_names_it(method: str, url: str, words: str) -> None:
    found = understood(method, url)
    assert f"{found.verb} {found.qualified} {found.namespace or '-'} {found.name or '-'}" == words


@pytest.mark.parametrize("path", ["/readyz", "/version", "/api", "/api/v1", "/apis", "/apis/apps/v1", "/openapi/v3"])
def test_what_is_about_no_resource_is_none_of_its_business(path: str) -> None:
    assert understand("GET", urlsplit(path), {}, None) is None


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "/apis/apps/v1/namespaces/shop/deployments"),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web/status"),
        ("DELETE", "/api/v1/namespaces/shop/pods"),
        ("POST", "/api/v1/namespaces/shop/pods/web/eviction"),
        ("DELETE", "/api/v1/namespaces/shop"),
    ],
)
def test_what_may_be_stored_is_a_write(method: str, url: str) -> None:
    assert understood(method, url).is_write


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/api/v1/namespaces/shop/pods"),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("POST", "/api/v1/namespaces/shop/serviceaccounts/web/token"),
        ("POST", "/api/v1/namespaces/shop/services/web/proxy/"),
        ("POST", "/api/v1/namespaces/shop/pods/web/exec?command=ls"),
    ],
)
def test_a_question_is_none(method: str, url: str) -> None:
    assert not understood(method, url).is_write


def test_a_dry_run_of_a_deletion_is_said_in_its_body() -> None:
    url = "/api/v1/namespaces/shop/pods/web"
    assert not understood("DELETE", url, json.dumps({"dryRun": ["All"]}).encode()).is_write
    assert understood("DELETE", url, json.dumps({"gracePeriodSeconds": 0}).encode()).is_write


def test_the_name_of_what_is_created_is_in_its_body() -> None:
    url = "/api/v1/namespaces/shop/secrets"
    assert understood("POST", url, b'{"metadata": {"name": "web"}}').name == "web"
    assert understood("POST", url, b'{"metadata": {"generateName": "web-"}}').name == "web-"
    yaml = b"apiVersion: v1\nmetadata:\n  labels:\n    name: other\n  name: web\n"
    assert understood("POST", url, yaml, "application/yaml").name == "web"


def test_a_fault_matches_with_and_without_the_group() -> None:
    found = understood("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web/status")
    assert found.matches("write", "deployments/status", "web")
    assert found.matches("patch", "deployments.apps/status", "*")
    assert not found.matches("patch", "deployments", "web")
    assert not found.matches("update", "*", "*")
    assert not understood("GET", "/api/v1/pods").matches("write", "*", "*")


def test_a_refusal_names_what_was_asked() -> None:
    said = status(409, understood("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web"))
    assert (said["code"], said["reason"]) == (409, "Conflict")
    assert 'Operation cannot be fulfilled on deployments.apps "web"' in said["message"]
    assert said["details"] == {"name": "web", "group": "apps", "kind": "deployments"}
