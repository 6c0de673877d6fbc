"""A template, field by field: the paths of plans and drift. Pure.

Paths are the API's own names; environment variables are found by name: `template.env.MODE`. Names, and annotations and
labels that say which release it is, are left out: they differ with each release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shipper.model.printable import has_credentials, looks_secret, printable
from shipper.targets.changes import HIDDEN
from shipper_targets.kubernetes.labels import IDENTITY, VERSION
from shipper_targets.kubernetes.values import Object, mapping, objects, text

_LONGEST = 200
_ENV = "template.env."
_ANNOTATIONS = "template.annotations."
_CONTAINER = "template.container"
_WORDS = (f"{_CONTAINER}.args", f"{_CONTAINER}.command")
_WHOLLY_OURS = (*_WORDS, _ENV, "template.volumes", f"{_CONTAINER}.volumeMounts")
"""Lists that are ours with all that is in them: an entry that we did not write is drift."""

OF_CONTAINER = f"{_CONTAINER}."
ALONE = (*_WORDS, _ENV)
"""Of which each one matters by itself."""

IMAGE = f"{_CONTAINER}.image"
Fields = dict[str, str]


def fields_of(template: Object) -> Fields:
    """Path to value, of whatever is there."""
    metadata, spec = mapping(template, "metadata"), dict(mapping(template, "spec"))
    containers = objects(spec, "containers")
    spec.pop("containers", None)
    container = dict(containers[0]) if containers else {}
    env = {text(one, "name"): _env_value(one) for one in objects(container, "env")}
    container.pop("env", None)
    found = dict(_leaves(spec, "template"))
    found |= dict(_leaves(container, _CONTAINER))
    found |= {f"template.containers.{at}": text(one, "name") for at, one in enumerate(containers[1:], 1)}
    found |= {_ENV + name: value for name, value in env.items()}
    found |= {f"template.labels.{key}": value for key, value in _own(mapping(metadata, "labels"))}
    found |= {f"template.annotations.{key}": value for key, value in _own(mapping(metadata, "annotations"))}
    return found


def owned_differences(ours: Mapping[str, str], found: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Path, our value, the found one, where they differ: what the webhook fills in by itself is not ours."""
    theirs = {path for path in found if path.startswith(_WHOLLY_OURS) and not path.endswith(".readOnly")}
    for path in sorted({*ours, *theirs}):
        if ours.get(path) != found.get(path):
            yield path, shown_in(ours, path), shown_in(found, path)


def shown_in(fields: Mapping[str, str], path: str) -> str:
    """As people may see it, empty when it is not there: an argument after `--api-key` is that key."""
    value, (rest, _, last) = fields.get(path, ""), path.rpartition(".")
    if value and last.isdigit() and path.startswith(_WORDS):
        option = fields.get(f"{rest}.{int(last) - 1}", "")
        if option.startswith("-") and "=" not in option and looks_secret(option) and not value.startswith("-"):
            return HIDDEN
    name = path.removeprefix(_ENV) if path.startswith(_ENV) else _called(fields, path)
    word = value if path.startswith(_WORDS) and "=" in value else ""
    if value and (looks_secret(name) or looks_secret(word) or has_credentials(value)):
        return HIDDEN
    return printable(value, _LONGEST)


def _called(fields: Mapping[str, str], path: str) -> str:
    """What a value is the value of: an annotation, or a header of a probe. Other members are the API's own."""
    if path.startswith(_ANNOTATIONS):
        return path.removeprefix(_ANNOTATIONS)
    rest, _, last = path.rpartition(".")
    return fields.get(f"{rest}.name", "") if last == "value" else ""


def _own(found: Object) -> Iterator[tuple[str, str]]:
    """Without what says which release it is, and what other tools note down."""
    for key, value in found.items():
        if key not in (*IDENTITY, VERSION) and not key.startswith("client.knative.dev/"):
            yield key, str(value)


def _env_value(entry: Object) -> str:
    reference = mapping(entry, "valueFrom", "secretKeyRef")
    return f"{text(reference, 'name')}/{text(reference, 'key')}" if reference else text(entry, "value")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield from _leaves(item, f"{path}.{at}")
    elif value is not None:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)
