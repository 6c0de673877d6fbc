"""JSON that others wrote: a platform, a registry, a service, a file."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes | bytearray) -> Any:
    """The value. Raises ValueError, and nothing else, for what is no JSON, or is nested deeper than Python goes."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
