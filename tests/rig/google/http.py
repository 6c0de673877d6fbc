"""Requests and answers of the rig's HTTP fronts, apart from any server: fronts are functions that tests may call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.rig.google.cloudrun.errors import ApiError


@dataclass(frozen=True)
class HttpRequest:
    """`target` is path and query as sent; `headers` have lower-case names; `principal` is who asks, "" for nobody."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    principal: str = ""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The last value of each parameter."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def queries(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"

    def json(self) -> dict[str, Any]:
        """The body as an object; ApiError when it is not one."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
        if not isinstance(found, dict):
            raise ApiError("INVALID_ARGUMENT", "Invalid JSON payload received. Expected an object.")
        return found


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=UTF-8"})


def answer(value: Any, status: int = 200) -> HttpAnswer:
    """A JSON answer, two spaces deep as the real services write it."""
    return HttpAnswer(status, (json.dumps(value, indent=2) + "\n").encode())


def refusal(error: ApiError) -> HttpAnswer:
    """google.rpc.Status over HTTP: https://cloud.google.com/apis/design/errors#http_mapping."""
    shown: dict[str, Any] = {"code": error.http_status, "message": error.message, "status": error.code}
    if error.details:
        shown["details"] = error.details
    return answer({"error": shown}, error.http_status)
