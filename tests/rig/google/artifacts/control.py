"""Artifact Registry's control plane, v1 REST: what shipper, gcloud-less people and tests use of it.

Based on the API's own descriptors (paths of google.cloud.artifactregistry_v1's REST transport). Permissions per call:
https://cloud.google.com/artifact-registry/docs/access-control#permissions. Refusals carry google.rpc.ErrorInfo with
reason IAM_PERMISSION_DENIED. Not verified against the real service: the words, and what GetRepository says while a
creation is under way (here: not found, and a second creation is ALREADY_EXISTS). Clean-up policies are stored and
never carried out; IAM policies, remote and virtual repositories' upstreams are not there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from google.cloud import artifactregistry_v1 as ar
from google.protobuf import field_mask_pb2, json_format

from tests.rig.google.artifacts import rules
from tests.rig.google.artifacts.images import Images
from tests.rig.google.artifacts.shapes import paged, registry_uri, shown_operation, timestamp
from tests.rig.google.artifacts.store import Store
from tests.rig.google.cloudrun.errors import ApiError, invalid
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal
from tests.rig.google.identity import Identity
from tests.rig.google.unauthenticated import unauthenticated

HOST = "artifactregistry.googleapis.com"
_LOCATION = r"projects/[^/]+/locations/[^/]+"
_REPOSITORY = rf"{_LOCATION}/repositories/[^/]+"
_OURS = {"name", "create_time", "update_time", "registry_uri", "size_bytes", "satisfies_pzs", "satisfies_pzi"}


class ControlPlane:
    """Answers as artifactregistry.googleapis.com."""

    def __init__(self, store: Store, identity: Identity, images: Images) -> None:
        self._store = store
        self._identity = identity
        package = rf"{_REPOSITORY}/packages/[^/]+"
        self._routes: list[tuple[str, re.Pattern[str], str, Callable[[HttpRequest, str], dict[str, Any]]]] = [
            ("GET", re.compile(rf"({_LOCATION}/operations/[^/]+)"), "repositories.get", self._operation),
            ("POST", re.compile(rf"({_LOCATION})/repositories"), "repositories.create", self._create),
            ("GET", re.compile(rf"({_LOCATION})/repositories"), "repositories.list", self._list),
            ("GET", re.compile(rf"({_REPOSITORY})"), "repositories.get", self._get),
            ("PATCH", re.compile(rf"({_REPOSITORY})"), "repositories.update", self._update),
            ("DELETE", re.compile(rf"({_REPOSITORY})"), "repositories.delete", self._delete),
            ("GET", re.compile(rf"({_REPOSITORY})/dockerImages"), "dockerimages.list", images.list),
            ("GET", re.compile(rf"({_REPOSITORY}/dockerImages/[^/]+)"), "dockerimages.get", images.get),
            ("DELETE", re.compile(rf"({package})"), "packages.delete", images.delete_package),
            (
                "DELETE",
                re.compile(rf"({package}/versions/[^/]+)"),
                "versions.delete",
                images.delete_version,
            ),
            ("DELETE", re.compile(rf"({package}/tags/[^/]+)"), "tags.delete", images.delete_tag),
            ("POST", re.compile(rf"({_REPOSITORY}):testIamPermissions"), "", self._test_permissions),
        ]

    def answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            return answer(self._carry_out(request))
        except ApiError as error:
            return refusal(error)

    def _carry_out(self, request: HttpRequest) -> dict[str, Any]:
        # Not `request.path`: the name of an image or package has escaped slashes, which part nothing here. Clients
        # escape them once more.
        path = urlsplit(request.target).path
        if not path.startswith("/v1/"):
            raise ApiError("NOT_FOUND", f"The requested URL {path} was not found on this server.")
        name = "%2F".join(map(unquote, re.split("%2F", path.removeprefix("/v1/"), flags=re.IGNORECASE)))
        for method, pattern, permission, carry_out in self._routes:
            if request.method == method and (found := pattern.fullmatch(name)):
                self._admit(request, f"artifactregistry.{permission}" if permission else "", found[1])
                return carry_out(request, found[1])
        raise ApiError("NOT_FOUND", f"The requested URL {path} was not found on this server.")

    def _admit(self, request: HttpRequest, permission: str, resource: str) -> None:
        principal = self._principal(request)
        project = resource.split("/")[1]
        if not permission or self._identity.allowed(principal, permission, project):
            return
        shown = f"//artifactregistry.googleapis.com/{resource}"
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "artifactregistry.googleapis.com",
            "metadata": {"permission": permission, "resource": resource},
        }
        words = f"Permission '{permission}' denied on resource '{shown}' (or it may not exist)."
        raise ApiError("PERMISSION_DENIED", words, [detail])

    def _principal(self, request: HttpRequest) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        principal = self._identity.principal(token.strip()) if scheme.lower() == "bearer" else None
        if principal is None:
            raise unauthenticated("ACCESS_TOKEN_EXPIRED" if scheme else "CREDENTIALS_MISSING", HOST)
        return principal

    def _create(self, request: HttpRequest, parent: str) -> dict[str, Any]:
        repository_id = request.query.get("repositoryId", "")
        rules.check_name(repository_id)
        name = f"{parent}/repositories/{repository_id}"
        repository = rules.parsed(request.json())
        rules.check(repository)
        repository.name = name
        if repository.mode == ar.Repository.Mode.MODE_UNSPECIFIED:
            repository.mode = ar.Repository.Mode(ar.Repository.Mode.STANDARD_REPOSITORY)
        resource = _shown(repository)
        resource["createTime"] = resource["updateTime"] = timestamp(time.time())
        resource["registryUri"] = registry_uri(name)
        return shown_operation(self._store.create(name, resource))

    def _get(self, _request: HttpRequest, name: str) -> dict[str, Any]:
        kept = self._store.get(name)
        sizes = (version.size for versions in kept.packages.values() for version in versions.values())
        return {**kept.resource, "sizeBytes": str(sum(sizes))}

    def _list(self, request: HttpRequest, parent: str) -> dict[str, Any]:
        return paged(request, "repositories", [kept.resource for kept in self._store.under(parent)])

    def _update(self, request: HttpRequest, name: str) -> dict[str, Any]:
        paths = [path for path in unquote(request.query.get("updateMask", "")).split(",") if path]
        sent = rules.parsed(request.json())
        mask = field_mask_pb2.FieldMask()
        try:
            json_format.Parse(f'"{",".join(paths)}"', mask)
        except json_format.ParseError as error:
            raise invalid("update_mask", str(error)) from None
        if not mask.paths or not mask.IsValidForDescriptor(ar.Repository.pb(sent).DESCRIPTOR):
            raise invalid("update_mask", "must name fields of a repository")
        if owned := [path for path in mask.paths if path.partition(".")[0] in _OURS | {"format"}]:
            raise invalid("update_mask", f"{owned[0]} cannot be updated")
        with self._store.lock:
            kept = self._store.get(name)
            repository = rules.parsed(kept.resource)
            mask.MergeMessage(ar.Repository.pb(sent), ar.Repository.pb(repository), True, True)
            for path in mask.paths:  # a map is replaced, not merged
                if path in ("cleanup_policies", "labels"):
                    setattr(repository, path, getattr(sent, path))
            rules.check(repository)
            kept.resource = {**_shown(repository), "updateTime": timestamp(time.time())}
            self._store.save()
            return kept.resource

    def _delete(self, _request: HttpRequest, name: str) -> dict[str, Any]:
        return shown_operation(self._store.delete(name))

    def _operation(self, _request: HttpRequest, name: str) -> dict[str, Any]:
        return shown_operation(self._store.get_operation(name))

    def _test_permissions(self, request: HttpRequest, name: str) -> dict[str, Any]:
        principal, project = self._principal(request), name.split("/")[1]
        asked = request.json().get("permissions", [])
        return {"permissions": [one for one in asked if self._identity.allowed(principal, one, project)]}


def _shown(repository: ar.Repository) -> dict[str, Any]:
    shown: dict[str, Any] = json_format.MessageToDict(ar.Repository.pb(repository))
    return shown
