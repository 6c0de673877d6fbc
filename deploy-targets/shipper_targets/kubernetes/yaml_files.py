"""YAML as Kubernetes reads it, with the line of everything. Pure.

As kubectl does: dates stay text, `1:30` is no number, 0644 is octal, keys are text. A key that stands twice, and a tag
of another language, are refused: kubectl's strict decoding does the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"
_INT = re.compile(r"[-+]?(?:0b[01]+|0x[0-9a-fA-F]+|0o[0-7]+|0[0-7]*|[1-9][0-9]*)$")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_BOOL = re.compile(r"(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$")
_NULL = re.compile(r"(?:~|null|Null|NULL|)$")


DEEPEST = 200
MOST_VALUES = 1_000_000
"""Beyond these a text is not meant to be read: aliases of aliases can make a small file fill the memory."""

_LONGEST_NUMBER = 1024
"""Bits of a whole number: what reads JSON takes no more."""


class BadYaml(Exception):
    """What a text is not, and at which line (the first is 1)."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


@dataclass(frozen=True)
class Document:
    """One document: its value, where it is from, and where each part of it stands."""

    origin: str
    line: int
    value: Any
    node: Any = field(repr=False, compare=False)

    def line_at(self, path: Sequence[str | int]) -> int:
        """The line of a value inside; of the nearest one around it when it came through an anchor."""
        node, line = self.node, self.line
        for step in path:
            found = _child(node, step)
            if found is None:
                return line
            node, line = found, found.start_mark.line + 1
        return line


def documents(text: str, origin: str) -> Iterator[Document]:
    """Every document that has something in it. Raises BadYaml."""
    loader, line = _Loader(text), 1
    try:
        _require_shallow(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
                continue
            line = node.start_mark.line + 1
            if _size(node, {}) > MOST_VALUES:
                raise BadYaml(line, f"its aliases make more than {MOST_VALUES} values of it")
            yield Document(origin, line, loader.construct_document(node), node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYaml(mark.line + 1 if mark else 1, error.problem or "not YAML") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # what PyYAML does not look at itself
        raise BadYaml(line, "a value is not what its tag says") from error
    except yaml.reader.ReaderError as error:
        at = text[: error.position] if isinstance(error.position, int) else ""
        raise BadYaml(at.count("\n") + 1, f"the character #x{error.character:04x} is not allowed") from error
    finally:
        loader.dispose()


def _require_shallow(text: str) -> None:
    """libyaml ends the process when it is led too deep, so this is looked at first, without recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise BadYaml(_line_of(event), f"nested more than {DEEPEST} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line_of(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _size(node: Any, known: dict[int, int]) -> int:
    """How many values it is once aliases are written out; what contains itself is infinitely many."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MOST_VALUES + 1  # as long as it is not known: an alias to what is around it
    inside = [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else node.value
    size = 1 + (sum(_size(one, known) for one in inside) if isinstance(node, yaml.CollectionNode) else 0)
    known[id(node)] = size
    return size


class _Loader(yaml.CSafeLoader):
    """PyYAML's safe loader with Kubernetes' idea of numbers, and without surprises."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the library has it

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Whatever a tag makes of it, or why not: PyYAML itself looks at little of that."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            tag = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"this cannot be read as {tag}", node.start_mark
            ) from error

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Keys as text, each once."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key.start_mark)
            if key.tag != _MERGE and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f'"{key.value}" stands twice', key.start_mark)
            seen.add(key.value)
        self.flatten_mapping(node)
        for key, _ in node.value:  # with those that a merge has brought
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key.start_mark)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


def _number(loader: Any, node: Any) -> int:
    text = node.value.lstrip("+-")
    sign = -1 if node.value.startswith("-") else 1
    base = 0 if text[:2] in ("0b", "0x", "0o") else 8 if text.startswith("0") else 10
    found = int(text, base)
    if found.bit_length() > _LONGEST_NUMBER:
        raise ValueError("nobody takes such a number")
    return sign * found


def _fraction(loader: Any, node: Any) -> float | int:
    text = node.value.lower().replace(".inf", "inf").replace(".nan", "nan")
    value = float(text)
    if not math.isfinite(value):
        raise yaml.constructor.ConstructorError(None, None, "such a number has no place in a manifest", node.start_mark)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _foreign(loader: Any, node: Any) -> Any:
    raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag} means nothing here", node.start_mark)


def _child(node: Any, step: str | int) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


for _tag, _pattern, _first in (
    ("bool", _BOOL, "yYnNtTfFoO"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", _NULL, ["~", "n", "N", ""]),
    ("merge", re.compile(r"<<$"), "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _fraction)
for _tag in ("binary", "timestamp", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _foreign)
