"""Values that TOML allows and no setting takes: dates, nan and inf, numbers beyond 64 bits."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

from shipper.config.positions import KeyPath

OddValue = tuple[KeyPath, Any, str]

_WHOLE_MAX = 2**63


def without_odd_values(value: Any, path: KeyPath = ()) -> tuple[Any, list[OddValue]]:
    """The value ready for JSON, and each odd value in it (left out as None): path, value, what is expected.

    Recursion is bounded by positions.MAX_DEPTH.
    """
    if isinstance(value, Mapping):
        pairs = {key: without_odd_values(child, (*path, key)) for key, child in value.items()}
        return {key: plain for key, (plain, _) in pairs.items()}, [one for _, odd in pairs.values() for one in odd]
    if isinstance(value, list):
        items = [without_odd_values(child, (*path, index)) for index, child in enumerate(value)]
        return [plain for plain, _ in items], [one for _, odd in items for one in odd]
    expected = _expected(value)
    return (None, [(path, value, expected)]) if expected else (value, [])


def _expected(value: Any) -> str:
    if isinstance(value, datetime.date | datetime.time):
        return "text, not a date of TOML"
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if isinstance(value, int) and not -_WHOLE_MAX <= value < _WHOLE_MAX:
        return "a number of at most 64 bits"
    return ""
