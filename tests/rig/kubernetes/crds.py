"""Manifests from module zips onto a cluster, as they are: the API server reads YAML itself. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

from tests.rig.daemons import wait_until
from tests.rig.kubernetes import build
from tests.rig.kubernetes.rest import APPLY, Rest
from tests.rig.shell import RigError

_PATHS = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "MutatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
}


def install_gateway_api(api: Rest) -> None:
    """Its standard channel: GatewayClass, Gateway, HTTPRoute, GRPCRoute, ReferenceGrant, BackendTLSPolicy."""
    files = sorted((build.manifests() / "gateway-api").glob("*.yaml"))
    names = [apply(api, file.read_text()) for file in files if _kind(file) == "CustomResourceDefinition"]
    established(api, names)


def apply(api: Rest, text: str) -> str:
    """Server-side apply of one object, forced; its name. Raises RigError with the server's words."""
    kind, name = _found(r"^kind: (\S+)", text), _found(r"^metadata:\n(?:  .*\n)*?  name: (\S+)", text)
    namespace = re.search(r"^metadata:\n(?:  .*\n)*?  namespace: (\S+)", text, re.M)
    path = _PATHS[kind].format(namespace=namespace[1] if namespace else "default")
    status, said = api.request("PATCH", f"{path}/{name}?fieldManager=rig&force=true", text, APPLY)
    if status not in (200, 201):
        raise RigError(f"{kind} {name}: {status} {said['message'] if isinstance(said, dict) else said}")
    return name


def established(api: Rest, names: list[str], patience: float = 20) -> None:
    """Wait until the API server serves these definitions."""
    for name in names:
        if not wait_until(lambda name=name: _is_established(api, name), patience, pause=0.02):  # type: ignore[misc]
            raise RigError(f"the API server does not establish {name}")


def _is_established(api: Rest, name: str) -> bool:
    status, said = api.request("GET", f"{_PATHS['CustomResourceDefinition']}/{name}")
    conditions = said.get("status", {}).get("conditions") if status == 200 else None  # null at first
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions or ())


def _kind(file: Path) -> str:
    return _found(r"^kind: (\S+)", file.read_text())


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.M)
    if found is None:
        raise RigError(f"no {pattern!r} in a manifest that begins with {text[:80]!r}")
    return found[1]
