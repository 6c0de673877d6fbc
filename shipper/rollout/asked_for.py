"""What `--to` means: a number, the start of a digest or fingerprint, or a time. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from shipper.errors import UsageError

_NUMBER = re.compile(r"#?(\d{1,12})")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")
_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([a-z]+)\s+ago")
_UNITS = {
    "s": 1, "sec": 1, "second": 1,
    "m": 60, "min": 60, "minute": 60,
    "h": 3600, "hour": 3600,
    "d": 86400, "day": 86400,
    "w": 604800, "week": 604800,
}  # fmt: skip

EXAMPLES = '"#41", "41", the first 6 or more digits of a digest or fingerprint, "2 hours ago", "2026-11-21 14:30"'


def number_in(text: str) -> int | None:
    """41 of "#41" and "41"."""
    match = _NUMBER.fullmatch(text.strip())
    return int(match[1]) if match else None


def digest_in(text: str) -> str | None:
    """The hex digits of "sha256:9f2c31…" and "9f2c31", at least 6."""
    match = _DIGEST.fullmatch(text.strip().lower())
    return match[1] if match else None


def time_in(text: str, now: float) -> float | None:
    """Unix seconds of "2 hours ago", "3d ago" and ISO 8601 (local time where no zone is given)."""
    words = text.strip().lower()
    if (match := _AGO.fullmatch(words)) is not None:
        unit = _UNITS.get(match[2]) or _UNITS.get(match[2].removesuffix("s"))
        return None if unit is None else now - float(match[1]) * unit
    try:
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def not_understood(text: str) -> UsageError:
    """For everything else."""
    return UsageError(f'--to "{text[:60]}" names no release', hint=f"it takes {EXAMPLES}")
