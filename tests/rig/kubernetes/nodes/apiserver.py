"""The few calls that the rig's nodes and router make to the API server: JSON in, JSON out.

Not the `kubernetes` client: its models cost more than the rest of a status write, and the rig sends hundreds a second.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

Object = dict[str, Any]
"""An object of the API as JSON."""

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

_WATCH_SECONDS = 240
_AWAY = (429, 502, 503, 504)
_PATIENCE, _PAUSE = 60.0, 0.3


class ApiFailure(Exception):
    """The API server answered with something else than success. `status` is HTTP's, `reason` is Kubernetes' own."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


class ApiServer:
    """Calls as the user of a kubeconfig's current context: by token or by client certificate. Safe for threads."""

    def __init__(self, kubeconfig: Path) -> None:
        cluster, user = _chosen(yaml.safe_load(kubeconfig.read_text()))
        self._server = str(cluster["server"]).rstrip("/")
        self._headers = {"Accept": "application/json", **_authorisation(user)}
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=64,
            ca_certs=cluster.get("certificate-authority"),
            ca_cert_data=_authority(cluster),
            cert_file=user.get("client-certificate"),
            key_file=user.get("client-key"),
            retries=False,
        )

    def get(self, path: str, **query: str) -> Object:
        return self.call("GET", path, query=query)

    def create(self, path: str, body: Object) -> Object:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Object, kind: str = MERGE, **query: str) -> Object:
        return self.call("PATCH", path, body, content=kind, query=query)

    def delete(self, path: str, body: Object | None = None) -> Object:
        return self.call("DELETE", path, body)

    def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """One request, sent again while the API server is away or overloaded, for a minute.

        Raises ApiFailure, and urllib3's HTTPError when nobody answers.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._once(method, path, body, content, query)
            except (ApiFailure, urllib3.exceptions.HTTPError) as error:
                away = not isinstance(error, ApiFailure) or error.status in _AWAY
                if not away or time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE)

    def watch(self, path: str, version: str) -> Iterator[Object]:
        """Events ({"type", "object"}) after a resource version; ends when the server ends it. Raises as `call`."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(_WATCH_SECONDS)}
        query["allowWatchBookmarks"] = "true"
        with self._pool.request(
            "GET", self._url(path, query), headers=self._headers, preload_content=False, timeout=_WATCH_SECONDS + 30
        ) as answer:
            if answer.status >= 300:
                raise _failure(answer.status, answer.read())
            rest = b""
            for piece in answer.stream(65536):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    event: Object = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiFailure(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                    yield event

    def _once(
        self, method: str, path: str, body: Object | None, content: str, query: Mapping[str, str] | None
    ) -> Object:
        answer = self._pool.request(
            method,
            self._url(path, query),
            body=None if body is None else json.dumps(body),
            headers={**self._headers, "Content-Type": content},
            timeout=30,
        )
        if answer.status >= 300:
            raise _failure(answer.status, answer.data)
        found: Object = json.loads(answer.data)
        return found

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        return self._server + path + (f"?{urlencode(query)}" if query else "")


def path(plural: str, namespace: str = "", name: str = "", *, group: str = "v1", sub: str = "") -> str:
    """The address of a collection or an object; `group` is `v1` for the core, else `apps/v1` and the like."""
    words = ["/api" if group == "v1" else "/apis", group]
    words += ["namespaces", namespace] if namespace else []
    return "/".join([*words, plural, *([name] if name else []), *([sub] if sub else [])])


def key(thing: Object) -> tuple[str, str]:
    """Namespace and name of an object."""
    metadata = thing["metadata"]
    return str(metadata.get("namespace", "")), str(metadata["name"])


def _authority(cluster: Object) -> str | None:
    """The authority inside the kubeconfig itself, where it is not a file."""
    inside = cluster.get("certificate-authority-data")
    return base64.b64decode(inside).decode() if inside else None


def _chosen(config: Object) -> tuple[Object, Object]:
    def named(kind: str, name: str) -> Object:
        found: Object = next(entry for entry in config[f"{kind}s"] if entry["name"] == name)[kind]
        return found

    context = named("context", config["current-context"])
    return named("cluster", context["cluster"]), named("user", context["user"])


def _authorisation(user: Object) -> dict[str, str]:
    token = user.get("token") or (Path(user["tokenFile"]).read_text().strip() if user.get("tokenFile") else "")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _failure(status: int, body: bytes) -> ApiFailure:
    try:
        said = json.loads(body)
        return ApiFailure(status, str(said.get("reason", "")), str(said.get("message", "")))
    except (ValueError, AttributeError):
        return ApiFailure(status, "", body.decode("utf-8", "replace")[:300])
