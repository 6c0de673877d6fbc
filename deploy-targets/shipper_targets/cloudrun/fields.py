"""A template, field by field: the paths of plans and drift. Pure.

Paths are the API's own names; environment variables are found by name: `template.containers.0.env.MODE`. Names, labels
and annotations are left out: they differ with each release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shipper.model.printable import has_credentials, looks_secret, printable
from shipper.targets.changes import HIDDEN

if TYPE_CHECKING:
    from google.cloud import run_v2

_LONGEST = 200
_LEFT_OUT = ("revision", "labels", "annotations")
_ENV = ".env."
_WORDS = ("template.containers.0.args", "template.containers.0.command")
_WHOLLY_OURS = ("template.containers.0.args", "template.containers.0.command", "template.volumes")
"""Lists that are ours with all that is in them: an entry that we did not write is drift."""

Fields = dict[str, str]


def fields_of_template(template: run_v2.RevisionTemplate) -> Fields:
    """Path to value. What has its default is not there, but for yes and no of `resources`."""
    from google.cloud import run_v2
    from google.protobuf.json_format import MessageToDict

    told = MessageToDict(run_v2.RevisionTemplate.pb(template), preserving_proto_field_name=True)
    for name in _LEFT_OUT:
        told.pop(name, None)
    for container in told.get("containers", []):
        container["env"] = {one["name"]: _env_value(one) for one in container.get("env", [])}
        resources = container.setdefault("resources", {})
        for flag in ("cpu_idle", "startup_cpu_boost"):
            resources.setdefault(flag, False)
    return dict(_leaves(told, "template"))


def owned_differences(ours: Mapping[str, str], found: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Path, our value, the found one, where they differ: what the server fills in by itself is not ours."""
    theirs = {path for path in found if _ENV in path or path.startswith(_WHOLLY_OURS)}
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
    return shown(path, value)


def shown(path: str, value: str) -> str:
    """As people may see it: of a variable or an argument that looks like a secret only that there is one."""
    name = path.rpartition(_ENV)[2] if _ENV in path else ""
    word = value if path.startswith(_WORDS) and "=" in value else ""
    if value and (looks_secret(name) or looks_secret(word) or has_credentials(value)):
        return HIDDEN
    return printable(value, _LONGEST)


def _env_value(entry: Mapping[str, Any]) -> str:
    reference = entry.get("value_source", {}).get("secret_key_ref")
    if reference is None:
        return str(entry.get("value", ""))
    return f"{reference['secret']}/versions/{reference.get('version', '')}"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _leaves(item, f"{path}.{at}")
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)
