"""What the control plane knows: repositories, what was pushed to them, and operations. Kept in one JSON file."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.google.cloudrun.errors import ApiError

OPERATION_SECONDS = 0.3
"""How long a long-running operation takes; what it makes is there at its end and not before."""


@dataclass
class Version:
    """One manifest: what a digest of a package is. Times are seconds since 1970."""

    digest: str
    media_type: str
    size: int
    uploaded: float
    updated: float
    tags: list[str] = field(default_factory=list)


@dataclass
class Operation:
    """A long-running one. `result` is the message in the response, as JSON, with "@type"."""

    name: str
    ready: float
    metadata: dict[str, Any]
    result: dict[str, Any]


@dataclass
class Kept:
    """A repository: the resource as JSON, from when it is there, and its packages: image -> digest -> version."""

    resource: dict[str, Any]
    ready: float
    packages: dict[str, dict[str, Version]] = field(default_factory=dict)


class Store:
    """All of it, under one lock (`with store.lock:`). Everything raises ApiError as the API's operations do."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.lock = threading.RLock()
        self._kept: dict[str, Kept] = {}
        self._operations: dict[str, Operation] = {}
        if file.exists():
            for name, kept in json.loads(file.read_text()).items():
                packages = {
                    package: {digest: Version(**version) for digest, version in versions.items()}
                    for package, versions in kept["packages"].items()
                }
                self._kept[name] = Kept(kept["resource"], kept["ready"], packages)

    def find(self, name: str) -> Kept | None:
        """A repository that is there."""
        kept = self._kept.get(name)
        return kept if kept is not None and kept.ready <= time.time() else None

    def get(self, name: str) -> Kept:
        kept = self.find(name)
        if kept is None:
            raise ApiError("NOT_FOUND", "Requested entity was not found.")
        return kept

    def under(self, parent: str) -> list[Kept]:
        """The repositories of a location, by name."""
        names = sorted(name for name in self._kept if name.startswith(f"{parent}/repositories/"))
        return [kept for name in names if (kept := self.find(name))]

    def create(self, name: str, resource: dict[str, Any]) -> Operation:
        """Its name is taken at once, it is there when the operation ends."""
        with self.lock:
            if name in self._kept:
                raise ApiError("ALREADY_EXISTS", "the repository already exists")
            ready = time.time() + OPERATION_SECONDS
            self._kept[name] = Kept(resource, ready)
            self.save()
            return self.operation(name, resource)

    def delete(self, name: str) -> Operation:
        with self.lock:
            self.get(name)
            del self._kept[name]
            self.save()
            return self.operation(name, None)

    def operation(self, name: str, result: dict[str, Any] | None) -> Operation:
        """A new operation about something under a location; without a result its response is Empty."""
        parent = "/".join(name.split("/")[:4])
        kind = "google.devtools.artifactregistry.v1"
        response = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        if result is not None:
            response = {"@type": f"type.googleapis.com/{kind}.Repository", **result}
        made = Operation(
            f"{parent}/operations/{uuid.uuid4()}",
            time.time() + OPERATION_SECONDS,
            {"@type": f"type.googleapis.com/{kind}.OperationMetadata"},
            response,
        )
        self._operations[made.name] = made
        return made

    def get_operation(self, name: str) -> Operation:
        if name not in self._operations:
            raise ApiError("NOT_FOUND", "Requested entity was not found.")
        return self._operations[name]

    def record(self, name: str, package: str, version: Version, tag: str | None) -> None:
        """A manifest was pushed, under a tag or without one; the tag leaves whatever held it."""
        with self.lock:
            versions = self.get(name).packages.setdefault(package, {})
            there = versions.setdefault(version.digest, version)
            there.updated = version.updated
            if tag is not None:
                for other in versions.values():
                    other.tags = [kept for kept in other.tags if kept != tag]
                there.tags = [*there.tags, tag]
            self.save()

    def tagged(self, name: str, package: str, tag: str) -> str | None:
        """The digest that a tag holds."""
        kept = self.find(name)
        versions = kept.packages.get(package, {}).values() if kept else ()
        return next((version.digest for version in versions if tag in version.tags), None)

    def holds(self, name: str, package: str, reference: str) -> bool:
        """Whether a tag or digest means a manifest: what was deleted here is gone, whatever the bytes behind do."""
        kept = self.find(name)
        versions = kept.packages.get(package, {}) if kept else {}
        return reference in versions or self.tagged(name, package, reference) is not None

    def save(self) -> None:
        """Write all of it, whole and renamed. Operations live as long as the process."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps({name: asdict(kept) for name, kept in self._kept.items()}))
        draft.rename(self._file)
