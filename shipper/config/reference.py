"""The reference page of shipper.toml, generated from the descriptions of the fields."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shipper.config.document import MAX_BYTES
from shipper.config.load import MOST_ENVIRONMENTS, MOST_TARGETS
from shipper.config.positions import MAX_DEPTH, KeyPath
from shipper.config.sections import SECTIONS
from shipper.config.shape import node_at, words
from shipper.model.quantities import show_duration, show_size

_HEAD = f"""# Configuration

Generated from `shipper/model/settings.py`; `shipper config schema` prints the same as JSON Schema.

`shipper.toml`, or `[tool.shipper]` in `pyproject.toml` (not both in one folder), is looked for in the working
directory (`-C` names another) and its parents up to the repository's root. A file is at most {MAX_BYTES // 1000} kB,
{MAX_DEPTH} levels deep, with {MOST_ENVIRONMENTS} environments and {MOST_TARGETS} targets. Types are strict: `"8080"` is text and no number.
Sizes go up to 1,024 TiB, durations up to 30 days.
Every mistake is shown at once, with file, line and what to write instead: `shipper config check`.

```toml
service = "iris"

[run]
port = 8000
memory = "512MB"

[targets.local]
kind = "docker"

[environments.production.run]
memory = "1GB"
```

## Top level

| key | what may be written | default | meaning |
|---|---|---|---|
| `service` | lower-case letters, digits and hyphens, at most 40, starting with a letter | required | The service's name. |
| `target` | the name of a target, a kind or a URL | the only target, else `docker` | The target used without `--target`. |

## `[targets.<name>]`

A place where the service runs. `kind` is required: docker, kubernetes, knative, cloudrun, lambda, ecs, or a third
party's. The other keys are the kind's own: see its README. Without any target there is one: `docker`.

## `[environments.<name>]`

An overlay on everything but `service`: tables merge, everything else (lists too) replaces. Chosen with `-e`; the
default is `dev`, which needs no section. `shipper config show` prints the result with the origin of each value.
"""  # noqa: E501 - table rows and prose of the page


def reference_markdown() -> str:
    """docs/reference/configuration.md."""
    return "\n".join([_HEAD, *(line for name in SECTIONS for line in _section(name))])


def settings_rows(model: type[Any]) -> list[str]:
    """A table of the settings of a kind of target (docs/reference/targets.md)."""
    return [*_rows(model, ()), *_inner(model, ())]


def _section(name: str) -> Iterator[str]:
    model = SECTIONS[name]
    about = inspect.cleandoc(model.__doc__ or "").splitlines()[0]
    heading, _, meaning = about.partition(": ")
    yield f"## {heading}\n"
    yield f"{meaning[:1].upper()}{meaning[1:]}\n"
    yield from _rows(model, ())
    for key, node in node_at(model, ()).get("properties", {}).items():
        if _is_list_of_tables(node):
            yield from _entries(model, f"{name}.{key}", (key, 0))
        elif node_at(model, (key,)).get("properties"):
            yield f"### `[{name}.{key}]`\n"
            yield f"{node.get('description', '')}\n"
            yield from _rows(model, (key,))
            yield from _inner(model, (key,))


def _entries(model: type[Any], name: str, path: KeyPath) -> Iterator[str]:
    yield f"### `[[{name}]]`\n"
    about = re.split(r"\n\n", str(node_at(model, path).get("description", "")))[0]
    yield f"{about}\n"
    yield from _rows(model, path)
    yield from _inner(model, path)


def _inner(model: type[Any], path: KeyPath) -> Iterator[str]:
    """The tables in a table, and its lists of tables."""
    for key, node in node_at(model, path).get("properties", {}).items():
        if _is_list_of_tables(node):
            yield f"Each of `{key}` is a table:\n"
            yield from _rows(model, (*path, key, 0))
        elif node_at(model, (*path, key)).get("properties"):
            yield f"`{key}` is a table:\n"
            yield from _rows(model, (*path, key))


def _rows(model: type[Any], path: KeyPath) -> Iterator[str]:
    node = node_at(model, path)
    yield "| key | what may be written | default | meaning |"
    yield "|---|---|---|---|"
    for key, raw in node.get("properties", {}).items():
        required = key in node.get("required", ())
        yield _row(key, node_at(model, (*path, key)), raw, required=required)
    yield ""


def _row(key: str, node: Mapping[str, Any], raw: Mapping[str, Any], *, required: bool) -> str:
    default = "required" if required else _default(node, raw)
    cells = (f"`{key}`", _allowed(node), default, str(raw.get("description", "")))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _allowed(node: Mapping[str, Any]) -> str:
    for names in node.get("patternProperties", {}).values():
        return f"a table of names and {words(names)}"
    says = any(name in node for name in ("type", "enum", "const", "expected", "anyOf"))
    return words(node) if says else "any JSON value"


def _default(node: Mapping[str, Any], raw: Mapping[str, Any]) -> str:
    value = raw.get("default")
    if value in (None, [], {}):
        return ""
    if node.get("format") == "size":
        return show_size(value)
    if node.get("format") == "duration":
        return show_duration(value)
    return f"`{json.dumps(value)}`" if not isinstance(value, dict) else ""


def _is_list_of_tables(node: Mapping[str, Any]) -> bool:
    return "$ref" in node.get("items", {})
