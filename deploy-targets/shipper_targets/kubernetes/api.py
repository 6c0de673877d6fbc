"""The API server, as the adapter uses it: objects are plain JSON, errors are ours, reads are made again.

Reads may be made again, and are; a write never is: whoever writes has to look at what became of it first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from shipper.model.context import Cancellation
from shipper.targets import Invalid, NotFound, retry_transient
from shipper_targets.kubernetes.answers import Answer, Listed, Watch, checked, failure
from shipper_targets.kubernetes.bodies import as_bytes
from shipper_targets.kubernetes.clients import Connection
from shipper_targets.kubernetes.kinds import WELL_KNOWN, Kind
from shipper_targets.kubernetes.kube_errors import Gone
from shipper_targets.kubernetes.labels import MANAGER
from shipper_targets.kubernetes.settings import KubernetesSettings

READ, WRITE = 10.0, 20.0
"""Seconds that one call may take. Webhooks of a write have up to 30 s each by the API's rules; few take one."""

_PAGE = 500
_WATCH_GRACE = 10.0
_JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_APPLY = "application/apply-patch+yaml"
_PATCH = "application/json-patch+json"
_MERGE = "application/merge-patch+json"
Query = Sequence[tuple[str, str]]

__all__ = ["Answer", "Api", "Gone", "Listed", "Watch"]


class Api:
    """One namespace of one cluster. Safe for threads. Every method may raise Transient, Denied."""

    def __init__(self, own: KubernetesSettings, cancel: Cancellation | None = None) -> None:
        self.namespace = own.namespace
        self._connection = Connection(own, cancel)
        self._kinds: dict[tuple[str, str], Kind] = dict(WELL_KNOWN)

    # Reading

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Raises NotFound."""
        path = kind.path(namespace or self.namespace, name)
        return retry_transient(lambda: self._object(f"read {kind} {name}", "GET", path))

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """None where there is none, or where the cluster does not know the kind."""
        try:
            return self.get(kind, name, namespace)
        except NotFound:
            return None

    def list(self, kind: Kind, *, labels: str = "", fields: str = "", namespace: str | None = None) -> Listed:
        """All of them, whatever their number, sorted by name; raises NotFound for a kind that is not known here."""
        try:
            return self._pages(kind, labels, fields, namespace, _PAGE)
        except Gone:  # the snapshot that the pages were cut from is gone: all at once then
            return self._pages(kind, labels, fields, namespace, 0)

    def list_metadata(self, kind: Kind, *, labels: str = "", fields: str = "") -> Listed:
        """The same without spec, data and status: a list of Secrets need not bring what is in them."""
        return self._pages(kind, labels, fields, None, 0, accept=_METADATA)

    def watch(
        self,
        kind: Kind,
        *,
        labels: str = "",
        fields: str = "",
        version: str = "",
        seconds: float = 300.0,
        namespace: str | None = None,
    ) -> Watch:
        """Events after `version` (of a list), for at most `seconds`. Raises Gone when that is too long ago."""
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(max(1, round(seconds))))]
        query += _given(labelSelector=labels, fieldSelector=fields, resourceVersion=version)
        path = kind.path(namespace or self.namespace)
        answer = self.request("GET", path, query=query, timeout=seconds + _WATCH_GRACE, stream=True)
        if answer.status != 200:
            raise failure(f"watch {kind.plural}", self._connection, answer)
        return Watch(answer)

    def kind_of(self, api_version: str, kind: str) -> Kind:
        """By discovery where it is none of the well-known ones. Raises Invalid for a kind that is not there."""
        if (api_version, kind) not in self._kinds:
            prefix = "apis" if "/" in api_version else "api"
            try:
                found = retry_transient(
                    lambda: self._object(f"look {api_version} up", "GET", f"/{prefix}/{api_version}")
                )
            except NotFound as error:
                raise Invalid(f"this cluster does not know {api_version} {kind}") from error
            group, _, version = api_version.rpartition("/")
            for one in found.get("resources") or ():
                if "/" not in one["name"]:
                    known = Kind(group, version, one["name"], one["kind"], bool(one["namespaced"]))
                    self._kinds[api_version, one["kind"]] = known
        try:
            return self._kinds[api_version, kind]
        except KeyError:
            raise Invalid(f"this cluster does not know {api_version} {kind}") from None

    def find_kind(self, api_version: str, kind: str) -> Kind | None:
        """The same; None for a kind that is not there, or no more."""
        try:
            return self.kind_of(api_version, kind)
        except Invalid:
            return None

    def knows(self, kind: Kind) -> bool:
        """Whether the cluster serves this kind, asked of its discovery."""
        path = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        try:
            found = retry_transient(lambda: self._object(f"look {kind.api_version} up", "GET", path))
        except NotFound:
            return False
        return any(one.get("name") == kind.plural for one in found.get("resources") or ())

    @cached_property
    def version(self) -> str:
        """The cluster's, such as "v1.34.3"."""
        return str(retry_transient(lambda: self._object("read the version", "GET", "/version")).get("gitVersion"))

    # Writing

    def create(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Raises Conflict when it is there already, Invalid."""
        name = str(body.get("metadata", {}).get("name") or "")
        path = kind.path(self._namespace_of(body))
        query = [("fieldManager", MANAGER), ("fieldValidation", "Strict"), *_dry(dry_run)]
        return self._object(f"create {kind} {name}".rstrip(), "POST", path, query, body, _JSON)

    def apply(self, manifest: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> dict[str, Any]:
        """Server-side apply as "shipper". A metadata.resourceVersion in it makes the write conditional.

        Raises Owned (a Conflict) when others own what it changes, Conflict, Invalid.
        """
        kind = self.kind_of(str(manifest["apiVersion"]), str(manifest["kind"]))
        name = str(manifest["metadata"]["name"])
        path = kind.path(self._namespace_of(manifest), name)
        if not kind.namespaced:  # own manifests have a namespace filled in where their kind is not known beforehand
            metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
            manifest = {**manifest, "metadata": metadata}
        query = [("fieldManager", MANAGER), ("force", str(force).lower()), ("fieldValidation", "Strict")]
        return self._object(f"apply {kind} {name}", "PATCH", path, [*query, *_dry(dry_run)], manifest, _APPLY)

    def merge(
        self, kind: Kind, name: str, patch: Mapping[str, Any], *, dry_run: bool = False, subresource: str = ""
    ) -> dict[str, Any]:
        """A merge patch as "shipper"; conditional in the same way. Raises NotFound, Conflict, Invalid."""
        path = kind.path(self.namespace, name, subresource)
        query = [("fieldManager", MANAGER), ("fieldValidation", "Strict"), *_dry(dry_run)]
        return self._object(f"change {kind} {name}", "PATCH", path, query, patch, _MERGE)

    def json_patch(self, kind: Kind, name: str, operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """A JSON patch as "shipper"; one that replaces /metadata/resourceVersion is conditional. Raises as `merge`."""
        query = [("fieldManager", MANAGER), ("fieldValidation", "Strict")]
        return self._object(
            f"change {kind} {name}", "PATCH", kind.path(self.namespace, name), query, operations, _PATCH
        )

    def delete(
        self,
        kind: Kind,
        name: str,
        *,
        uid: str | None = None,
        version: str | None = None,
        propagation: str = "Background",
        namespace: str | None = None,
    ) -> None:
        """Gone already is no error. Raises Conflict when it is another one by uid or version."""
        conditions = {key: value for key, value in (("uid", uid), ("resourceVersion", version)) if value}
        options: dict[str, Any] = {"propagationPolicy": propagation, "preconditions": conditions}
        try:
            path = kind.path(namespace or self.namespace, name)
            self._object(f"delete {kind} {name}", "DELETE", path, (), options, _JSON)
        except NotFound:
            return

    # Anything else: what is proxied to pods, logs

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = READ,
        stream: bool = False,
        proxied: bool = False,
    ) -> Answer:
        """One request as it is, whatever its status. With `stream` only the time between two pieces is bounded.
        `proxied`: it is passed on to a pod, and sent once only.
        """
        url = f"{path}?{urlencode(query)}" if query else path
        started = time.monotonic()
        response = self._connection.send(method, url, {**_WHO, **(headers or {})}, body, timeout, proxied=proxied)
        answer = Answer(self._connection, response, None if stream else started + timeout)
        if not stream:
            answer.body  # noqa: B018 - read within the deadline of the call
        return answer

    def failure(self, doing: str, answer: Answer) -> Exception:
        """What an answer of `request` that is no success means."""
        return failure(doing, self._connection, answer)

    # How

    def _object(
        self,
        doing: str,
        method: str,
        path: str,
        query: Query = (),
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        content: str = "",
        accept: str = _JSON,
    ) -> dict[str, Any]:
        headers = {"accept": accept, **({"content-type": content} if content else {})}
        data = as_bytes(body) if body is not None else b""
        timeout = READ if method == "GET" else WRITE
        answer = self.request(method, path, query=query, headers=headers, body=data, timeout=timeout)
        return checked(doing, self._connection, answer)

    def _pages(
        self, kind: Kind, labels: str, fields: str, namespace: str | None, limit: int, accept: str = _JSON
    ) -> Listed:
        path = kind.path(namespace or self.namespace)
        selected = _given(labelSelector=labels, fieldSelector=fields, limit=str(limit or ""))
        items: list[dict[str, Any]] = []
        more = ""
        while True:
            query = [*selected, *_given(**{"continue": more})]
            found = self._page(kind, path, query, accept)
            # Members of a list do not say what they are.
            items += [{**one, "apiVersion": kind.api_version, "kind": kind.kind} for one in found.get("items") or ()]
            more = str(found["metadata"].get("continue") or "")
            if not more:
                return Listed(tuple(items), str(found["metadata"].get("resourceVersion") or ""))

    def _page(self, kind: Kind, path: str, query: Query, accept: str) -> dict[str, Any]:
        def asked() -> dict[str, Any] | Gone:
            try:
                return self._object(f"list {kind.plural}", "GET", path, query, accept=accept)
            except Gone as error:  # it stays gone
                return error

        found = retry_transient(asked)
        if isinstance(found, Gone):
            raise found
        return found

    def _namespace_of(self, body: Mapping[str, Any]) -> str:
        return str(body.get("metadata", {}).get("namespace") or self.namespace)


_WHO = {"user-agent": MANAGER}


def _given(**pairs: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in pairs.items() if value]


def _dry(dry_run: bool) -> list[tuple[str, str]]:
    return [("dryRun", "All")] if dry_run else []
