"""Where objects hold containers, and what their pods refer to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]

TEMPLATES: dict[str, Path] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Kind to the path of its PodTemplateSpec."""

RESTARTED = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods are replaced when their template changes."""

_LISTS = ("containers", "initContainers", "ephemeralContainers")


def containers_of(body: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every container with its path, also in kinds that we do not know: whatever is called a list of containers."""
    if isinstance(body, Mapping):
        for key, value in body.items():
            if key in _LISTS and isinstance(value, list):
                for at, one in enumerate(value):
                    if isinstance(one, Mapping):
                        yield (*path, key, at), one
            else:
                yield from containers_of(value, (*path, key))
    elif isinstance(body, list):
        for at, value in enumerate(body):
            yield from containers_of(value, (*path, at))


def template_in(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object's PodTemplateSpec; None when it has none."""
    path = TEMPLATES.get(str(body.get("kind")))
    value: Any = body if path is not None else None
    for step in path or ():
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else None


def referred(template: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(kind, name) of every ConfigMap and Secret that these pods read: mounted, projected, or as variables."""
    spec = template.get("spec")
    return set(_references(spec)) if isinstance(spec, Mapping) else set()


_NAMES = {
    "configMap": ("ConfigMap", "name"),
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "secretRef": ("Secret", "name"),
    "secretKeyRef": ("Secret", "name"),
}


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inside in value.items():
            if isinstance(inside, Mapping):
                yield from _reference(key, inside)
            yield from _references(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _references(inside)


def _reference(key: str, inside: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if key == "secret":  # a volume says secretName, a source of a projected one says name
        name: Any = inside.get("secretName") or inside.get("name")
        kind = "Secret"
    elif key in _NAMES:
        kind, member = _NAMES[key]
        name = inside.get(member)
    else:
        return
    if isinstance(name, str):
        yield kind, name
