"""What is sent: JSON that is YAML, too, since the API server reads what is applied with a YAML parser. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

_RAW = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON takes as they are in a string, and YAML refuses or takes for the end of a line."""


def as_bytes(body: Any) -> bytes:
    """A JSON value. Beyond the Basic Multilingual Plane characters stay as they are: YAML knows no surrogate pairs.

    Measured on 1.34: `application/apply-patch+yaml` with "\\ud83d\\udea2" is 400, "invalid Unicode character escape".
    """
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return _RAW.sub(lambda found: f"\\u{ord(found.group()):04x}", text).encode("utf-8")
