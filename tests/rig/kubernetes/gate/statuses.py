"""Refusals as the API server writes them. Pure.

After k8s.io/apimachinery/pkg/api/errors/errors.go of 0.34.3; 429 after k8s.io/apiserver's filter priority-and-fairness,
which answers in plain text; the 410 event after its storage/cacher.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from tests.rig.kubernetes.gate.requests import Request

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_WORDS = {
    400: "the server rejected our request for an unknown reason",
    401: "Unauthorized",
    403: '{what} "{name}" is forbidden: User "rig" cannot {verb} resource "{kind}" in API group "{group}" in the '
    'namespace "{namespace}"',
    404: '{what} "{name}" not found',
    409: 'Operation cannot be fulfilled on {what} "{name}": the object has been modified; please apply your changes '
    "to the latest version and try again",
    410: "The provided continue parameter is too old to display a consistent list result.",
    422: '{what} "{name}" is invalid',
    500: "Internal error occurred: the rig's gate was told to fail this",
    503: "the server is currently unable to handle the request",
    504: "Timeout: request did not complete within requested timeout - context deadline exceeded",
}


def answer(code: int, request: Request) -> bytes:
    """A whole HTTP answer."""
    if code == 429:
        text = b"Too many requests, please try again later.\n"
        return _http(429, text, "Content-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n")
    return _http(code, json.dumps(status(code, request)).encode(), "Content-Type: application/json\r\n")


def status(code: int, request: Request) -> dict[str, Any]:
    """A Status object, such as a client library reads `reason` and `message` from."""
    words = _WORDS.get(code, "the server could not answer").format(
        what=f"{request.resource}.{request.group}" if request.group else request.resource,
        **{key: getattr(request, key) for key in ("name", "verb", "kind", "group", "namespace")},
    )
    details = {"name": request.name, "group": request.group, "kind": request.resource}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": words,
        "reason": _REASONS.get(code, "InternalError"),
        "details": {key: value for key, value in details.items() if value},
        "code": code,
    }


def expired(asked: int, oldest: int) -> bytes:
    """The event that ends a watch whose resourceVersion is gone, as a line of its stream."""
    said = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"too old resource version: {asked} ({oldest})",
        "reason": "Expired",
        "code": 410,
    }
    return json.dumps({"type": "ERROR", "object": said}).encode() + b"\n"


def _http(code: int, body: bytes, headers: str) -> bytes:
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "Unknown"
    length = f"Cache-Control: no-cache, private\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"HTTP/1.1 {code} {phrase}\r\n{headers}{length}".encode() + body
