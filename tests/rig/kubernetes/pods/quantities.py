"""Kubernetes quantities as numbers: "500m", "2", "1Gi", "1e3"."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_UNITS |= {f"{name}i": 2 ** (10 * power) for power, name in enumerate("KMGTP", start=1)}


def quantity(text: str) -> Decimal:
    """The number of a quantity. ValueError when it is none; the API server lets none of those through."""
    match = re.fullmatch(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)(m|u|n|[kMGTP]|[KMGTP]i)?", text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity")
    number, unit = Decimal(match[1]), match[2] or ""
    small = {"m": 3, "u": 6, "n": 9}
    return number.scaleb(-small[unit]) if unit in small else number * _UNITS[unit]
