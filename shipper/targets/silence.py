"""Why nothing came back from an address: each cause has words of its own, as each is mended elsewhere."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit


def why_silent(error: Exception, url: str, timeout: float) -> str:
    """`error` is what httpx, or what is below it, raised for `url`; `timeout` in seconds."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {timeout:g} s"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {timeout:g} s"
    for below in _beneath(error):
        if words := _of_the_connection(below, url):
            return words
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return "the connection was closed without a complete answer"
    return f"no connection: {error}" if isinstance(error, httpx.ConnectError) else f"no answer: {error}"


def is_unreached(error: Exception) -> bool:
    """Whether there was nobody to ask: no connection was made."""
    import httpx

    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _of_the_connection(error: BaseException, url: str) -> str:
    """Empty for what says nothing about it."""
    if isinstance(error, socket.gaierror):
        return f"the name {urlsplit(url).hostname} does not resolve from here"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted from here: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionError):
        return ""
    return f"no connection: {error.strerror.lower()}" if isinstance(error, OSError) and error.strerror else ""


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """What it was made of, down to the system's own words."""
    below: BaseException | None = error
    for _ in range(20):
        if below is None:
            return
        yield below
        below = below.__cause__ or below.__context__
