"""Whether a JSON answer is what was expected, and where it first differs."""

from __future__ import annotations

import json
from typing import Any

_SHOWN = 60


def difference(expected: Any, found: Any, tolerance: float = 0.0, path: str = "$") -> str | None:
    """The first difference, such as "$.prediction[0]: expected 0, found 1"; None when `found` matches.

    Objects: every expected member must be there, others are ignored. Lists: the same length, element by element.
    Numbers: within `tolerance`, absolute or relative to the expected one, whichever allows more; true is not 1.
    Everything else: equal.
    """
    if isinstance(expected, dict):
        return _object_difference(expected, found, tolerance, path)
    if isinstance(expected, list | tuple):
        return _list_difference(list(expected), found, tolerance, path)
    if _same_value(expected, found, tolerance):
        return None
    return _unlike(path, _shown(expected), found)


def _object_difference(expected: dict[str, Any], found: Any, tolerance: float, path: str) -> str | None:
    if not isinstance(found, dict):
        return _unlike(path, "an object", found)
    for name, value in expected.items():
        member = f"{path}.{name}" if name.isidentifier() else f"{path}[{json.dumps(name)}]"
        if name not in found:
            return f"{member}: expected {_shown(value)}, found no such member"
        if (problem := difference(value, found[name], tolerance, member)) is not None:
            return problem
    return None


def _list_difference(expected: list[Any], found: Any, tolerance: float, path: str) -> str | None:
    if not isinstance(found, list):
        return _unlike(path, "a list", found)
    if len(expected) != len(found):
        return f"{path}: expected {len(expected)} elements, found {len(found)}: {_shown(found)}"
    problems = (
        difference(value, element, tolerance, f"{path}[{at}]")
        for at, (value, element) in enumerate(zip(expected, found, strict=True))
    )
    return next((problem for problem in problems if problem is not None), None)


def _same_value(expected: Any, found: Any, tolerance: float) -> bool:
    if _is_number(expected) and _is_number(found):
        return expected == found or _close(expected, found, tolerance)
    return type(expected) is type(found) and bool(expected == found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _close(expected: float, found: float, tolerance: float) -> bool:
    try:
        return abs(expected - found) <= tolerance * max(1.0, abs(expected))
    except OverflowError:  # an integer beyond the range of a float, and not equal
        return False


def _unlike(path: str, expected: str, found: Any) -> str:
    return f"{path}: expected {expected}, found {_shown(found)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
