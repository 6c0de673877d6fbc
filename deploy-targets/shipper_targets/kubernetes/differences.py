"""A live object beside the result of a dry run: what a person wants to know of it, without the server's noise. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shipper.model import Change
from shipper.targets import change_of
from shipper_targets.kubernetes.labels import NUMBER, RELEASE
from shipper_targets.kubernetes.manifest import CHANGE_CAUSE, Key
from shipper_targets.kubernetes.showing import shown

_NOISE = (
    ("metadata", "managedFields"),
    ("metadata", "resourceVersion"),
    ("metadata", "generation"),
    ("metadata", "uid"),
    ("metadata", "creationTimestamp"),
    ("metadata", "selfLink"),
    ("status",),
    ("metadata", "annotations", "deployment.kubernetes.io/revision"),
    ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
    *(("metadata", "labels", name) for name in (RELEASE, NUMBER)),
    ("metadata", "annotations", CHANGE_CAUSE),
)
"""The server's own, and what every release changes; so do our annotations of the object itself."""

_OURS = "shipper.dev/"

_BY_NAME = ("name", "mountPath", "containerPort", "port", "topologyKey", "host", "ip", "uid")
"""What tells the elements of a list apart: a container that was added does not change all those after it."""


def object_changes(key: Key, live: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> list[Change]:
    """Lines for one object: that it is new, or gone, or one for each value that differs. Empty when nothing does.

    `live`: as read; `wanted`: as a dry run returned it, with the server's defaults.
    """
    if wanted is None:
        return [Change(action="remove", subject=str(key), before="there")] if live is not None else []
    if live is None:
        return [Change(action="create", subject=str(key), after="new")]
    return [
        change_of(f"{key} {path}", before, after)
        for path, before, after in differing(live, wanted, secret=key.kind == "Secret")
    ]


def differing(live: Any, wanted: Any, *, secret: bool = False) -> Iterator[tuple[str, str, str]]:
    """(path, live value, wanted value), both as people may see them. Hidden values are compared all the same."""
    was, will_be = dict(_leaves(live)), dict(_leaves(wanted))
    for path in sorted({*was, *will_be}):
        if was.get(path) != will_be.get(path):
            yield ".".join(path), _shown(path, was, secret), _shown(path, will_be, secret)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if _is_noise(path):
        return
    if isinstance(value, Mapping) and value:
        for name, inside in value.items():
            yield from _leaves(inside, (*path, str(name)))
    elif isinstance(value, list | tuple) and value:
        for name, inside in _elements(value):
            yield from _leaves(inside, (*path[:-1], f"{path[-1]}[{name}]") if path else (f"[{name}]",))
    elif value is not None:
        yield path, value


def _is_noise(path: tuple[str, ...]) -> bool:
    is_mark = path[:2] == ("metadata", "annotations") and "".join(path[2:]).startswith(_OURS)
    return path in _NOISE or is_mark


def _elements(value: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each element under what it is called, else under its position."""
    for member in _BY_NAME:
        names = [one.get(member) for one in value if isinstance(one, Mapping)]
        if len(names) == len(value) and None not in names and len({*map(str, names)}) == len(names):
            yield from ((str(name), one) for name, one in zip(names, value, strict=True))
            return
    yield from ((str(at), one) for at, one in enumerate(value))


def _shown(path: tuple[str, ...], leaves: Mapping[tuple[str, ...], Any], secret: bool) -> str:
    value, (name, _, position) = leaves.get(path), "".join(path[-1:]).removesuffix("]").rpartition("[")
    before = f"{name}[{int(position) - 1}]" if position.isdecimal() else ""
    return "" if value is None else shown(path, value, secret=secret, after=leaves.get((*path[:-1], before), ""))
