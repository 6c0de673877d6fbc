"""The JSON Schema of shipper.toml, for editors and for other tools."""

from __future__ import annotations

from typing import Any

from shipper.config.sections import SECTIONS
from shipper.model.settings import Settings

_SIZE = r"^\d{1,12}(\.\d{1,6})?\s*(B|kB|KB|K|KiB|MB|M|MiB|GB|G|GiB|TB|T|TiB)?$"
_DURATION = r"^\d{1,9}(\.\d{1,6})?\s*(ms|s|m|min|h|d)?$"
_QUANTITIES = {"size": _SIZE, "duration": _DURATION}
_NAME = {"type": "string", "pattern": r"^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$"}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file: sections, `[targets.<name>]` and `[environments.<name>]`.

    A target's own settings are left open here: its kind decides (`check_target_settings`).
    """
    made = Settings.model_json_schema(by_alias=True)
    sections = {name: _plain(made["properties"][name]) for name in SECTIONS}
    used = {name: _plain(node) for name, node in made["$defs"].items()}
    for unused in ("ServiceSettings", "TargetSettings"):
        used.pop(unused, None)
    target = {"type": "string", "description": "The target used when --target is not given: a name, a kind or a URL."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "shipper.toml",
        "type": "object",
        "properties": {
            "service": {**_NAME, "description": "The service's name."},
            "target": target,
            **sections,
            "targets": _named({**_target(), "required": ["kind"]}, "Places where the service runs."),
            "environments": _named(_overlay(sections, target), "Overlays: tables merge, everything else replaces."),
        },
        "required": ["service"],
        "additionalProperties": False,
        "$defs": used,
    }


def _target() -> dict[str, Any]:
    kind = {**_NAME, "description": "docker, kubernetes, knative, cloudrun, lambda, ecs, or a third party's."}
    return {"type": "object", "properties": {"kind": kind}, "additionalProperties": True}


def _overlay(sections: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """What an environment may change. Nothing is required in it: it is laid over the rest."""
    targets = _named(_target(), "Changes to targets, and targets of this environment alone.")
    properties = {"target": target, **sections, "targets": targets}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _named(value: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "propertyNames": {"pattern": _NAME["pattern"]},
        "additionalProperties": value,
    }


def _plain(node: Any) -> Any:
    """Without our own keyword `expected`, without made-up titles, and with sizes and durations as people write them."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _below(key, value) for key, value in node.items() if key not in _LEFT_OUT or isinstance(value, dict)}
    return _quantity(kept) if kept.get("format") in _QUANTITIES else kept


def _below(key: str, value: Any) -> Any:
    """The names under `properties` are the user's; a default is a value, not a schema."""
    if key in ("properties", "patternProperties", "$defs"):
        return {name: _plain(child) for name, child in value.items()}
    return value if key in ("default", "enum", "const") else _plain(value)


_LEFT_OUT = ("title", "expected")


def _quantity(node: dict[str, Any]) -> dict[str, Any]:
    """A number in the base unit, or text with a unit."""
    numeric = {"type", "minimum", "maximum", "exclusiveMinimum", "gt", "le", "format"}
    rest = {key: value for key, value in node.items() if key not in numeric}
    number = {"type": node["type"], "exclusiveMinimum": 0}
    most = node.get("maximum", node.get("le"))
    if most is not None:
        number["maximum"] = most
    return {**rest, "anyOf": [number, {"type": "string", "pattern": _QUANTITIES[node["format"]]}]}
