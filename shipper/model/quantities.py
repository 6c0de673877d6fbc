"""Sizes and durations as people write them ("512MB", "10s"), held as bytes and seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(B|kB|KB|K|KiB|MB|M|MiB|GB|G|GiB|TB|T|TiB)?")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|min|h|d)?")
_SIZE_UNITS = {
    None: 1, "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_DURATION_UNITS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: Any) -> Any:
    """Bytes from "512MB" (10^6), "512MiB" or "512M" (2^20), or a plain number of bytes. Others pass through."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError('a size such as "512MB", "2GiB" or a number of bytes')
    return round(float(match[1]) * _SIZE_UNITS[match[2]])


def parse_duration(value: Any) -> Any:
    """Seconds from "500ms", "10s", "2m", "1h", "7d", or a plain number of seconds. Others pass through."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError('a duration such as "500ms", "10s", "2m" or a number of seconds')
    return float(match[1]) * _DURATION_UNITS[match[2]]


def show_size(size: int) -> str:
    """Bytes for people: 145.2 MB (powers of ten, as registries and Docker show them). What is whole in powers of two
    was meant so: 64 MiB.
    """
    if size and size % 2**20 == 0 and size % 10**6:
        return f"{size // 2**30} GiB" if size % 2**30 == 0 else f"{size // 2**20} MiB"
    number = float(size)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def show_count(number: int, one: str) -> str:
    """How many of something: 1 thing, 2 things."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def show_duration(seconds: float) -> str:
    """Seconds for people: 0.4 s, 12.3 s, 2 min 5 s, 3 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0, le=2**50, json_schema_extra={"format": "size"})]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(gt=0, le=30 * 86400, json_schema_extra={"format": "duration"}),
]
