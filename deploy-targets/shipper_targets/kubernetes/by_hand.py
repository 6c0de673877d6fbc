"""What a person has added to our pods with kubectl. Pure.

It is no field of ours, so no drift, and an apply takes away only what its own manager has: it stays from release to
release, and nobody would see it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from shipper.model.json_text import parse_json
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.labels import MANAGER
from shipper_targets.kubernetes.rollouts import release_in
from shipper_targets.kubernetes.values import Object, at, mapping, name_of, objects, text

_CONTAINERS = ("containers", "initContainers")
_WHOLE = ("args", "command", "envFrom")
_MOUNTED = ("volumeMounts", "volumeDevices")


def added_by_hand(found: Found, serving: Collection[str]) -> tuple[str, ...]:
    """A sentence for each thing that is in the pods of what serves: what, where, and how to take it away. `serving`:
    Deployments' names.
    """
    there = [one for one in found.deployments if name_of(one) in serving and release_in(one)]
    return tuple(line for one in there for line in _sentences(found, one))


def _sentences(found: Found, deployment: Object) -> Iterator[str]:
    name, namespace = name_of(deployment), text(deployment, "metadata", "namespace")
    where = f"-n {namespace} deployment/{name}"
    again = found.is_per_release(deployment)
    stays = "comes back with this revision" if again else "stays, at a release and a rollback too"
    applied = next((one for one in found.applied if (one.kind, one.name) == ("Deployment", name)), None)
    rendered = mapping(applied.body, "spec", "template", "spec") if applied is not None else {}
    for one in _added(deployment):
        if one.is_in(rendered):
            continue  # what `kubectl rollout undo` brought back was ours then
        place = f"container {one.container} of Deployment {name}" if one.container else f"Deployment {name}"
        undo = f"kubectl edit {where}"
        if one.kind == "variable":
            undo = f"kubectl set env {where} -c {one.container} {one.name}-"
        yield f"somebody added {one} to {place} with kubectl: it {stays}, until it is taken away ({undo})"


@dataclass(frozen=True)
class _Addition:
    """`kind`: container, volume, and of a `container` variable, mount or field."""

    kind: str
    name: str
    container: str = ""

    def __str__(self) -> str:
        return self.name if self.kind == "field" else f"the {self.kind} {self.name}"

    def is_in(self, spec: Object) -> bool:
        """Whether these pods have it."""
        containers = {text(one, "name"): one for kind in _CONTAINERS for one in objects(spec, kind)}
        if self.kind == "container":
            return self.name in containers
        if self.kind == "volume":
            return self.name in [text(one, "name") for one in objects(spec, "volumes")]
        own = containers.get(self.container, {})
        if self.kind == "variable":
            return self.name in [text(one, "name") for one in objects(own, "env")]
        if self.kind == "mount":
            mounts = [one for kind in _MOUNTED for one in objects(own, kind)]
            return self.name in [text(one, "mountPath") or text(one, "devicePath") for one in mounts]
        return self.name in own


def _added(deployment: Object) -> Iterator[_Addition]:
    theirs, ours = _owned(deployment, ours=False), _owned(deployment, ours=True)
    for kind in _CONTAINERS:
        for key, fields in _members(theirs, kind):
            container = _named(key, "name")
            mine = mapping(ours, f"f:{kind}", key)
            if not mine:
                if "." in fields:  # the container itself, not a field of one
                    yield _Addition("container", container)
                continue
            for variable, _ in _members(fields, "env"):
                if variable not in mapping(mine, "f:env"):
                    yield _Addition("variable", _named(variable, "name"), container)
            for member in _MOUNTED:
                for mount, _ in _members(fields, member):
                    if mount not in mapping(mine, f"f:{member}"):
                        path = _named(mount, "mountPath") or _named(mount, "devicePath")
                        yield _Addition("mount", path, container)
            new = [one for one in _WHOLE if f"f:{one}" in fields and f"f:{one}" not in mine]
            yield from (_Addition("field", one, container) for one in new)
    for key, _ in _members(theirs, "volumes"):
        if key not in mapping(ours, "f:volumes"):
            yield _Addition("volume", _named(key, "name"))


def _owned(deployment: Object, *, ours: bool) -> dict[str, Any]:
    """Fields of the pods' spec, as managedFields write them, that we own or that kubectl does."""
    merged: dict[str, Any] = {}
    for one in objects(deployment, "metadata", "managedFields"):
        manager = text(one, "manager")
        if (manager == MANAGER) if ours else manager.startswith("kubectl"):
            _merge(merged, mapping(one, "fieldsV1", "f:spec", "f:template", "f:spec"))
    return merged


def _merge(into: dict[str, Any], more: Object) -> None:
    for key, value in more.items():
        inside = into.setdefault(key, {})
        if isinstance(value, dict):
            _merge(inside, value)


def _members(fields: Object, name: str) -> Iterator[tuple[str, Object]]:
    """Those of a list, by what tells them apart: `k:{"name":"main"}`."""
    for key, value in mapping(fields, f"f:{name}").items():
        if key.startswith("k:"):
            yield key, value


def _named(key: str, member: str) -> str:
    try:
        return str(at(parse_json(key.removeprefix("k:")), member) or "")
    except ValueError:
        return ""
