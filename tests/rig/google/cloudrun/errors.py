"""How an operation of the rig's Google APIs refuses: a canonical code, which each front turns into its own shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# google/rpc/code.proto: name -> (number, HTTP status). The pairs are those of that file's own comments.
CODES: dict[str, tuple[int, int]] = {
    "CANCELLED": (1, 499),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "DATA_LOSS": (15, 500),
    "UNAUTHENTICATED": (16, 401),
}


@dataclass
class ApiError(Exception):
    """A refusal. `code` is a name of CODES; `details` are google.rpc messages as JSON (with "@type")."""

    code: str
    message: str
    details: list[dict[str, Any]] = field(default_factory=list)

    @property
    def number(self) -> int:
        return CODES[self.code][0]

    @property
    def http_status(self) -> int:
        return CODES[self.code][1]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def invalid(field_path: str, problem: str) -> ApiError:
    """INVALID_ARGUMENT about one field, with the google.rpc.BadRequest detail that Google's APIs attach."""
    violation = {"field": field_path, "description": problem}
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    return ApiError("INVALID_ARGUMENT", f"{field_path}: {problem}", [detail])
