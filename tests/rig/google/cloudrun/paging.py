"""Pages of lists: the token is where the next one begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tests.rig.google.cloudrun.errors import ApiError

Item = TypeVar("Item")


def page(found: Sequence[Item], size: int, token: str) -> tuple[Sequence[Item], str]:
    """One page, at most 100 long, and the token of the next one."""
    if token and not token.isdecimal():
        raise ApiError("INVALID_ARGUMENT", "The page token is not one that this service gave.")
    start, most = int(token or 0), min(size or 100, 100)
    return found[start : start + most], str(start + most) if start + most < len(found) else ""
