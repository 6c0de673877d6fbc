"""One HTTP request to one revision: through the published port, or from inside the host's network."""

from __future__ import annotations

import http.client
import io
from collections.abc import Mapping

from shipper.model import ProbeRequest, ProbeResponse
from shipper.targets import NothingListens, Transient, asked_over_http

REVISION_HEADER = "x-shipper-revision"


def over_the_port(url: str, request: ProbeRequest, headers: Mapping[str, str]) -> ProbeResponse | None:
    """The answer through `url`; None when nothing listens there. Raises Transient when it does not come in time."""
    try:
        answer = asked_over_http(url, request, headers, proxies=False)
    except NothingListens:
        return None
    return _response(answer.status, answer.headers, answer.body)


def as_bytes(request: ProbeRequest, headers: Mapping[str, str]) -> bytes:
    """The request as it goes over the wire. Header names and values are as the configuration allows them: one line."""
    fields = {
        **{name.title(): value for name, value in request.headers.items()},
        **headers,
        "Content-Length": str(len(request.body)),
        "Connection": "close",
    }
    head = f"{request.method} {request.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    return head.encode("utf-8") + b"\r\n" + request.body


def from_bytes(raw: bytes, method: str) -> ProbeResponse:
    """The answer in what came back. Raises Transient when that is no HTTP."""
    answer = http.client.HTTPResponse(_Socket(raw), method=method)  # type: ignore[arg-type]
    try:
        answer.begin()
        body = answer.read()
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise Transient(f"no answer: {error or 'the connection was closed'}") from error
    return _response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


class _Socket:
    """What http.client needs of one."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        """The bytes as a file."""
        return io.BytesIO(self._raw)


def _response(status: int, headers: Mapping[str, str], body: bytes) -> ProbeResponse:
    return ProbeResponse(status=status, headers=dict(headers), body=body, revision=headers.get(REVISION_HEADER))
