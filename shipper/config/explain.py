"""Validation of one table against a model, and every error of it as a ConfigProblem."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shipper.config.advice import advice
from shipper.config.nearest import did_you_mean, nearest
from shipper.config.odd import without_odd_values
from shipper.config.overlay import Merged
from shipper.config.positions import KeyPath, Position
from shipper.config.printable import dotted, found
from shipper.config.problem import ConfigProblem, problem
from shipper.config.shape import bounds, key_words, keys, node_at, words
from shipper.model.printable import printable

Model = TypeVar("Model", bound=BaseModel)
HomeOf = Callable[[str], str]

MOST = 200
_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_LENGTHS = {"string_too_long": "max_length", "too_long": "max_length"}


def validated(
    merged: Merged, path: KeyPath, model: type[Model], table: Any, *, home_of: HomeOf = lambda _: ""
) -> tuple[Model | None, list[ConfigProblem]]:
    """The table at `path` as a model, or None and what is wrong with it (at most MOST problems).

    Strict: `"8080"` is no number and 1 is no truth value. Validated as JSON, where a list may become a tuple.
    `home_of` says where a key belongs that does not belong here (empty: nowhere).
    """
    plain, found_odd = without_odd_values(table)
    odd = found_odd[:MOST]
    problems = [_odd(merged, (*path, *where), value, kind) for where, value, kind in odd]
    reported = [(*path, *where) for where, _, _ in odd]
    try:
        instance = model.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        explained = (_explained(merged, path, model, dict(one), home_of) for one in wrong[:MOST])
        fresh = (one for where, one in explained if not _below_any(where, reported))
        return None, [*problems, *islice(fresh, MOST)]
    return (None if problems else instance), problems


def _below_any(where: KeyPath, reported: Sequence[KeyPath]) -> bool:
    return any(where[: len(path)] == path for path in reported)


def _explained(
    merged: Merged, path: KeyPath, model: type[BaseModel], error: dict[str, Any], home_of: HomeOf
) -> tuple[KeyPath, ConfigProblem]:
    location: KeyPath = tuple(error["loc"])
    if location[-1:] == ("[key]",):
        return (*path, *location[:-1]), _wrong_key(merged, path, model, location[:-1])
    where = (*path, *location)
    if error["type"] == "extra_forbidden":
        return where, _unknown_key(merged, path, model, location, home_of)
    if error["type"] == "missing":
        return where, _missing(merged, path, model, location)
    return where, _wrong_value(merged, path, model, location, error)


def _unknown_key(
    merged: Merged, path: KeyPath, model: type[BaseModel], location: KeyPath, home_of: HomeOf
) -> ConfigProblem:
    known = keys(node_at(model, location[:-1]))
    where = (*path, *location)
    home = home_of(str(location[-1])) if len(location) == 1 else ""
    return unknown_key(merged.document.file, merged.position(where), where, known, home)


def unknown_key(file: str, position: Position | None, path: KeyPath, known: Sequence[str], home: str) -> ConfigProblem:
    """A key that is not known there; `home` is where a key of this name belongs, empty when nowhere."""
    name = str(path[-1])
    near = "" if home else nearest(name, known)
    hint = f"move it to {home}" if home else did_you_mean(name, known, what="known keys")
    expected = f"one of {', '.join(known)}"
    return problem(file, position, path, "unknown key", nearest=near, expected=expected, hint=hint)


def _missing(merged: Merged, path: KeyPath, model: type[BaseModel], location: KeyPath) -> ConfigProblem:
    where = (*path, *location)
    expected = words(node_at(model, location))
    place = merged.position(where[:-1])
    message = f"missing; expected {expected}"
    hint = f"add {dotted(location[-1:])} = … to {_table(where[:-1])}"
    return problem(merged.document.file, place, where, message, expected=expected, hint=hint)


def _wrong_key(merged: Merged, path: KeyPath, model: type[BaseModel], location: KeyPath) -> ConfigProblem:
    where = (*path, *location)
    expected = key_words(node_at(model, location[:-1]))
    message = f"not a valid name; expected {expected}"
    shown = f'"{printable(str(location[-1]))}"'
    place = merged.position(where)
    return problem(merged.document.file, place, where, message, found=shown, expected=expected, hint="rename it")


def _wrong_value(
    merged: Merged, path: KeyPath, model: type[BaseModel], location: KeyPath, error: dict[str, Any]
) -> ConfigProblem:
    where = (*path, *location)
    value, node = merged.value(where), node_at(model, location)
    expected = _expectation(error, node)
    shown = found(where, value)
    return problem(
        merged.document.file,
        merged.position(where),
        where,
        f"found {shown}, expected {expected}",
        found=shown,
        expected=expected,
        hint=advice(where, value, node),
    )


def _expectation(error: dict[str, Any], node: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind in _BOUNDS and node.get("format") in ("size", "duration"):
        return bounds(node)
    if kind in _LENGTHS:
        return f"at most {error['ctx'][_LENGTHS[kind]]:,} {'characters' if kind == 'string_too_long' else 'entries'}"
    if kind == "value_error":  # our own validators say what they expect
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in ("model_type", "dict_type"):
        return "a table"
    return words(node)


def _odd(merged: Merged, where: KeyPath, value: Any, kind: str) -> ConfigProblem:
    hint = "write it in quotes" if kind != "a finite number" else "write a finite number"
    shown = found(where, value)
    message = f"found {shown}, expected {kind}"
    place = merged.position(where)
    return problem(merged.document.file, place, where, message, found=shown, expected=kind, hint=hint)


def _table(path: KeyPath) -> str:
    if path and isinstance(path[-1], int):
        return f"[[{dotted(path[:-1])}]]"
    return f"[{dotted(path)}]" if path else "the top of the file"
