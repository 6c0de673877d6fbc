"""What may be written at a key, read from the model's JSON Schema: the source of every "expected …"."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from shipper.config.positions import KeyPath

Node = Mapping[str, Any]

_SIZE = 'a size such as "512MB", "2GiB" or a number of bytes'
_DURATION = 'a duration such as "500ms", "10s", "2m" or a number of seconds'
_TYPES = {"string": "text", "boolean": "true or false", "array": "a list", "object": "a table"}


@cache
def schema_of(model: type[BaseModel]) -> Node:
    """The model's JSON Schema; made once."""
    return model.model_json_schema(by_alias=True)


def node_at(model: type[BaseModel], path: KeyPath) -> Node:
    """The schema of the value at a path below the model; empty when anything may stand there."""
    schema = schema_of(model)
    node = resolved(schema, schema)
    for part in path:
        node = resolved(_child(node, part), schema)
    return node


def resolved(node: Any, schema: Node) -> Node:
    """With references followed; of "this or nothing" this. What surrounds a reference (default, text) is kept."""
    if not isinstance(node, Mapping):
        return {}
    if "$ref" in node:
        target = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        return {**resolved(target, schema), **{key: value for key, value in node.items() if key != "$ref"}}
    options = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return {**resolved(options[0], schema), **rest}
    return node


def words(node: Node) -> str:
    """`a whole number from 1 to 65535`: what a person may write there."""
    if "const" in node:
        return _quoted([node["const"]])
    if "enum" in node:
        return ("one of " if len(node["enum"]) > 1 else "") + _quoted(node["enum"])
    if "expected" in node:
        return str(node["expected"])
    if "anyOf" in node:
        return " or ".join(words(one) for one in node["anyOf"] if one.get("type") != "null")
    if node.get("format") in ("size", "duration"):
        return _SIZE if node["format"] == "size" else _DURATION
    if node.get("type") in ("integer", "number"):
        return ("a whole number" if node["type"] == "integer" else "a number") + _range(node)
    if node.get("type") == "array":
        return _list_words(node)
    return _TYPES.get(str(node.get("type")), "a value")


def bounds(node: Node) -> str:
    """What a size or a duration may be at most: `more than 0 and at most 720 h`."""
    most = node.get("maximum", node.get("le"))
    if most is None:
        return "more than 0"
    units = {86400: "d", 3600: "h", 60: "min"} if node.get("format") == "duration" else {2**40: "TiB", 2**30: "GiB"}
    unit = next((size for size in units if most % size == 0), 1)
    return f"more than 0 and at most {most / unit:,.0f} {units.get(unit, '')}".rstrip()


def keys(node: Node) -> list[str]:
    """The names that a table has; empty for one with free names."""
    return list(node.get("properties", ()))


def key_words(node: Node) -> str:
    """What the names of a table with free names look like."""
    return str(node.get("propertyNames", {}).get("expected", "a valid name"))


def _child(node: Node, part: str | int) -> Any:
    if isinstance(part, int):
        return node.get("items", {})
    if part in node.get("properties", {}):
        return node["properties"][part]
    for free in node.get("patternProperties", {}).values():
        return free
    return node.get("additionalProperties", {})


def _range(node: Node) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    above = node.get("exclusiveMinimum")
    if least is not None and most is not None:
        return f" from {_number(least)} to {_number(most)}"
    parts = [f"at least {_number(least)}"] if least is not None else []
    parts += [f"more than {_number(above)}"] if above is not None else []
    parts += [f"at most {_number(most)}"] if most is not None else []
    return f", {' and '.join(parts)}" if parts else ""


def _list_words(node: Node) -> str:
    items = node.get("items", {})
    kind = {"string": 'a list such as ["a", "b"]', "object": "a list of tables"}.get(str(items.get("type")), "a list")
    kind = "a list of tables" if "$ref" in items else kind
    return f"{kind}, at most {node['maxItems']}" if "maxItems" in node else kind


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _quoted(values: list[Any]) -> str:
    return ", ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)
