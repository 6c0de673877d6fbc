"""Kubernetes' API in one method, with whatever credentials a kubeconfig has: plugins, certificates, tokens.

For the same without any library and with a token only: rest.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tests.rig.kubernetes import kubeconfigs

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


class Refused(Exception):
    """The API server said no; `status` and its own words."""

    def __init__(self, asked: str, status: int, said: Any) -> None:
        super().__init__(f"{asked}: {status} {said['message'] if isinstance(said, dict) else said}")
        self.status = status


def client_of(kubeconfig: Path) -> ApiClient:
    """A client of its context "rig"."""
    from kubernetes import config

    made = config.new_client_from_config(str(kubeconfig), context=kubeconfigs.CONTEXT)  # type: ignore[no-untyped-call]
    return cast("ApiClient", made)


def request(
    client: ApiClient, method: str, path: str, body: object = None, kind: str = "application/json"
) -> tuple[int, Any]:
    """Status and JSON, or text where it is none. `path` has its query."""
    headers = {"Accept": "application/json", "Content-Type": kind}
    asked = client.param_serialize(
        method=method, resource_path=path, header_params=headers, body=body, auth_settings=["BearerToken"]
    )
    reply = client.call_api(*asked)
    text: bytes = reply.read()  # type: ignore[no-untyped-call]
    try:
        return int(reply.status), json.loads(text)
    except ValueError:
        return int(reply.status), text.decode(errors="replace")


def done(client: ApiClient, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
    """The JSON of a request that must succeed. Raises Refused."""
    status, said = request(client, method, path, body, kind)
    if not 200 <= status < 300:
        raise Refused(f"{method} {path}", status, said)
    return said


def found(client: ApiClient, path: str) -> Any | None:
    """An object, None when there is none. Raises Refused for everything else."""
    status, said = request(client, "GET", path)
    if status == 404:
        return None
    if status != 200:
        raise Refused(f"GET {path}", status, said)
    return said
