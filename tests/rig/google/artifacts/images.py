"""The control plane's view of what was pushed: docker images, and removing versions, tags and packages.

Deleting: https://cloud.google.com/artifact-registry/docs/docker/manage-images#deleting_images (a tagged version needs
`force`), and with immutable tags neither a tag nor what it holds can be deleted
(https://cloud.google.com/artifact-registry/docs/repositories/immutable-tags, seen as "the repository has enabled tag
immutability"). The bytes go with the last name: the registry behind is told to delete the manifest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from tests.rig.google.artifacts.shapes import paged, registry_uri, shown_operation, timestamp
from tests.rig.google.artifacts.store import Kept, Store, Version
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.http import HttpRequest

Forget = Callable[[str, str, str], None]
"""Delete a manifest in the registry behind: repository's name, image, digest."""


class Images:
    """Operations on what is in repositories; all of them raise ApiError."""

    def __init__(self, store: Store, forget: Forget) -> None:
        self._store = store
        self._forget = forget

    def list(self, request: HttpRequest, name: str) -> dict[str, Any]:
        kept = self._store.get(name)
        found = [(package, version) for package, of in sorted(kept.packages.items()) for version in of.values()]
        return paged(request, "dockerImages", [_shown(name, package, version) for package, version in found])

    def get(self, _request: HttpRequest, name: str) -> dict[str, Any]:
        repository, _, image = name.partition("/dockerImages/")
        package, _, digest = unquote(image).partition("@")
        return _shown(repository, package, _version(self._store.get(repository), package, digest))

    def delete_version(self, request: HttpRequest, name: str) -> dict[str, Any]:
        repository, package, digest = _parts(name, "versions")
        with self._store.lock:
            kept = self._store.get(repository)
            version = _version(kept, package, digest)
            if version.tags and is_immutable(kept):
                raise ApiError(
                    "FAILED_PRECONDITION", "cannot delete a tagged version. The repository has enabled tag immutability"
                )
            if version.tags and not request.flag("force"):
                raise ApiError("FAILED_PRECONDITION", f"cannot delete version: it has tags: {', '.join(version.tags)}")
            self._drop(kept, repository, package, digest)
            return shown_operation(self._store.operation(repository, None))

    def delete_package(self, _request: HttpRequest, name: str) -> dict[str, Any]:
        repository, _, escaped = name.partition("/packages/")
        package = unquote(escaped)
        with self._store.lock:
            kept = self._store.get(repository)
            versions = kept.packages.get(package)
            if versions is None:
                raise ApiError("NOT_FOUND", "Requested entity was not found.")
            if is_immutable(kept) and any(version.tags for version in versions.values()):
                raise ApiError(
                    "FAILED_PRECONDITION", "cannot delete tagged versions. The repository has enabled tag immutability"
                )
            for digest in list(versions):
                self._drop(kept, repository, package, digest)
            return shown_operation(self._store.operation(repository, None))

    def delete_tag(self, _request: HttpRequest, name: str) -> dict[str, Any]:
        repository, package, tag = _parts(name, "tags")
        with self._store.lock:
            kept = self._store.get(repository)
            digest = self._store.tagged(repository, package, tag)
            if digest is None:
                raise ApiError("NOT_FOUND", "Requested entity was not found.")
            if is_immutable(kept):
                raise ApiError(
                    "FAILED_PRECONDITION", f"cannot delete tag {tag}. The repository has enabled tag immutability"
                )
            kept.packages[package][digest].tags.remove(tag)
            self._store.save()
            return {}

    def _drop(self, kept: Kept, repository: str, package: str, digest: str) -> None:
        self._forget(repository, package, digest)
        del kept.packages[package][digest]
        if not kept.packages[package]:
            del kept.packages[package]
        self._store.save()


def is_immutable(kept: Kept) -> bool:
    """Whether a repository's tags are."""
    return bool(kept.resource.get("dockerConfig", {}).get("immutableTags"))


def _version(kept: Kept, package: str, digest: str) -> Version:
    with contextlib.suppress(KeyError):
        return kept.packages[package][digest]
    raise ApiError("NOT_FOUND", "Requested entity was not found.")


def _parts(name: str, kind: str) -> tuple[str, str, str]:
    repository, _, rest = name.partition("/packages/")
    package, _, last = rest.partition(f"/{kind}/")
    return repository, unquote(package), last


def _shown(repository: str, package: str, version: Version) -> dict[str, Any]:
    image = f"{package.replace('/', '%2F')}@{version.digest}"
    shown: dict[str, Any] = {
        "name": f"{repository}/dockerImages/{image}",
        "uri": f"{registry_uri(repository)}/{package}@{version.digest}",
        "imageSizeBytes": str(version.size),
        "uploadTime": timestamp(version.uploaded),
        "updateTime": timestamp(version.updated),
        "mediaType": version.media_type,
    }
    return {**shown, "tags": version.tags} if version.tags else shown
