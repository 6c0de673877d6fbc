"""Asking over real connections: what comes back, and what is said when nothing useful does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shipper.model import Expectation, GoldenRequest
from shipper.smoke.asking import MAX_ANSWER, ask, fetch

pytestmark = pytest.mark.integration


class Peer(BaseHTTPRequestHandler):
    """Answers, or fails to, by path."""

    def do_GET(self) -> None:
        if self.path == "/closes":
            return
        if self.path == "/drips":
            self._drip()
            return
        self.send_response(302 if self.path == "/elsewhere" else 200)
        self.send_header("Location", "/")
        self.send_header("X-Shipper-Revision", "iris-7")
        self.send_header("X-Host", self.headers["Host"])
        self.send_header("X-Asked-By", self.headers.get("X-Asked-By", "nobody"))
        self.end_headers()
        if self.path == "/large":
            for _ in range(MAX_ANSWER // 100_000 + 10):
                self.wfile.write(b"x" * 100_000)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """No line per request."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            """The asker has had enough."""


@pytest.fixture(scope="module")
def peer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_answers_headers_come_back_so_that_the_revision_can_be_read(peer: str) -> None:
    asked = ask(peer, GoldenRequest(name="root"), host="iris.example", extra_headers={"X-Asked-By": "smoke"})
    assert asked.probe.ok
    assert asked.fault is None
    assert asked.headers["x-shipper-revision"] == "iris-7"
    assert asked.headers["x-host"] == "iris.example"
    assert asked.headers["x-asked-by"] == "smoke"


def test_a_redirect_is_an_answer_and_is_not_followed(peer: str) -> None:
    asked = ask(peer, GoldenRequest(name="moved", path="/elsewhere", expect=Expectation(status=302)))
    assert (asked.probe.status, asked.fault) == (302, None)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(peer, GoldenRequest(name="root")).probe.ok


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/closes", "the connection was closed without a complete answer"),
        ("/drips", "the answer was not complete within 0.5 s"),
        ("/large", "the answer is larger than 10 MB"),
    ],
)
def test_half_an_answer_is_a_fault_and_never_more_than_ten_megabytes(peer: str, path: str, problem: str) -> None:
    begun = time.monotonic()
    asked = ask(peer, GoldenRequest(name="half", path=path), timeout=0.5 if path == "/drips" else 10)
    assert not asked.probe.ok
    assert asked.probe.problem == problem
    assert time.monotonic() - begun < 10
    assert len(fetch(peer, "GET", path, timeout=0.5).body) <= MAX_ANSWER


def test_nobody_there_is_a_fault_and_no_exception() -> None:
    asked = ask("http://127.0.0.1:1", GoldenRequest(name="nobody"))
    assert (asked.answered, asked.probe.problem) == (False, "connection refused")
