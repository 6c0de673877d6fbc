"""Why nothing came back: a name, a certificate, a port and a time limit are different things to mend."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import httpx
import pytest

from shipper.model import GoldenRequest
from shipper.smoke.asking import ask
from shipper.targets.silence import is_unreached, why_silent

pytestmark = pytest.mark.unit

URL = "https://shop.example.com"


def raised(outer: type[httpx.TransportError], below: BaseException | None = None) -> httpx.TransportError:
    """As httpx raises it: with what its own libraries raised beneath."""
    middle, error = RuntimeError(), outer("its own words")
    middle.__cause__, error.__cause__ = below, middle
    return error


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def plain() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            raised(httpx.ConnectError, socket.gaierror(-2, "Name or service not known")),
            "the name shop.example.com does not resolve from here",
        ),
        (
            raised(httpx.ConnectError, untrusted()),
            "its certificate is not trusted from here: self-signed certificate",
        ),
        (raised(httpx.ConnectError, plain()), "no TLS connection: wrong version number"),
        (raised(httpx.ConnectError, ConnectionRefusedError(111, "Connection refused")), "connection refused"),
        (raised(httpx.ConnectError, OSError(113, "No route to host")), "no connection: no route to host"),
        (raised(httpx.ConnectTimeout), "no connection within 3 s"),
        (raised(httpx.ReadTimeout), "no answer within 3 s"),
        (
            raised(httpx.ReadError, ConnectionResetError(104, "Connection reset by peer")),
            "the connection was closed without a complete answer",
        ),
    ],
)
def test_each_cause_has_words_of_its_own(error: Exception, words: str) -> None:
    assert why_silent(error, URL, 3.0) == words


@pytest.mark.parametrize(
    ("error", "unreached"),
    [(raised(httpx.ConnectError), True), (raised(httpx.ConnectTimeout), True), (raised(httpx.ReadTimeout), False)],
)
def test_whether_there_was_somebody_to_ask(error: Exception, unreached: bool) -> None:
    assert is_unreached(error) == unreached


def test_a_name_that_does_not_resolve_is_said_with_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    asked = ask("http://shop.example.com", GoldenRequest(name="ready", path="/healthz"))
    assert asked.probe.problem == "the name shop.example.com does not resolve from here"
    assert (asked.url, asked.answered, asked.reached) == ("http://shop.example.com/healthz", False, False)
