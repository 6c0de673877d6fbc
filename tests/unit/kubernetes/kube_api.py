"""An API server that keeps objects by kind and name, and every write that it was asked for: no more than tests need."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shipper.targets import Conflict, NotFound
from shipper_targets.kubernetes.answers import Listed
from shipper_targets.kubernetes.kinds import WELL_KNOWN, Kind

Json = dict[str, Any]


class Server:
    """`refuses(body, force)`: an error for an apply, or None. Writes are (verb, "Kind/name", body)."""

    namespace = "shops"

    def __init__(self, *objects: Json) -> None:
        self.objects = {f"{one['kind']}/{one['metadata']['name']}": one for one in objects}
        self.writes: list[tuple[str, str, Any]] = []
        self.refuses: Callable[[Json, bool], Exception | None] = lambda body, force: None
        self.after: Callable[[str], None] = lambda what: None

    def sent(self, what: str) -> list[Any]:
        """The bodies that were sent for one object."""
        return [body for _, name, body in self.writes if name == what]

    def _wrote(self, verb: str, what: str, body: Any) -> None:
        self.writes.append((verb, what, copy.deepcopy(body)))
        self.after(what)

    def kind_of(self, api_version: str, kind: str) -> Kind:
        group, _, version = api_version.rpartition("/")
        known = WELL_KNOWN.get((api_version, kind))
        return known or Kind(group, version, f"{kind.lower()}s", kind)

    def find_kind(self, api_version: str, kind: str) -> Kind | None:
        return self.kind_of(api_version, kind)

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> Json | None:
        return copy.deepcopy(self.objects.get(f"{kind.kind}/{name}"))

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Json:
        found = self.find(kind, name)
        if found is None:
            raise NotFound(name)
        return found

    def list(self, kind: Kind, *, labels: str = "", fields: str = "") -> Listed:
        wanted = dict(one.split("=") for one in labels.split(",") if one)
        every = [one for what, one in self.objects.items() if what.startswith(f"{kind.kind}/")]
        mine = [one for one in every if wanted.items() <= one["metadata"].get("labels", {}).items()]
        return Listed(tuple(copy.deepcopy(mine)), "1")

    def list_metadata(self, kind: Kind, *, labels: str = "", fields: str = "") -> Listed:
        return self.list(kind, labels=labels, fields=fields)

    def create(self, kind: Kind, body: Json, *, dry_run: bool = False) -> Json:
        what = f"{kind.kind}/{body['metadata']['name']}"
        if what in self.objects:
            raise Conflict(f"{what} is there")
        self.objects[what] = {**copy.deepcopy(body), "kind": kind.kind}
        self._wrote("create", what, body)
        return self.objects[what]

    def apply(self, body: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        what = f"{body['kind']}/{body['metadata']['name']}"
        self._wrote("force" if force else "apply", what, body)
        error = self.refuses(body, force)
        if error is not None:
            raise error
        return body

    def merge(self, kind: Kind, name: str, patch: Mapping[str, Any], **_: Any) -> Json:
        self._wrote("merge", f"{kind.kind}/{name}", patch)
        return self.get(kind, name)

    def json_patch(self, kind: Kind, name: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        self._wrote("patch", f"{kind.kind}/{name}", operations)
        return self.get(kind, name)

    def delete(self, kind: Kind, name: str, **_: Any) -> None:
        self._wrote("delete", f"{kind.kind}/{name}", None)
        self.objects.pop(f"{kind.kind}/{name}", None)
