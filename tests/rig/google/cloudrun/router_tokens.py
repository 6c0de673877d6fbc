"""Bearer tokens in requests: https://cloud.google.com/run/docs/authenticating/service-to-service."""

from __future__ import annotations

import h11

_HEADERS = (b"x-serverless-authorization", b"authorization")  # the first one wins, and only it is looked at


def bearer(request: h11.Request) -> str | None:
    """The token of a request, None when it has none."""
    given = dict(request.headers)
    for name in _HEADERS:
        scheme, _, token = given.get(name, b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    return None


def without_signature(request: h11.Request) -> h11.Request:
    """The request for the container: it learns who calls and cannot use the token elsewhere."""
    headers = [
        (name, value.rpartition(b".")[0] + b".SIGNATURE_REMOVED_BY_GOOGLE" if name in _HEADERS else value)
        for name, value in request.headers
    ]
    return h11.Request(method=request.method, target=request.target, headers=headers)
