"""The load generator counts every request, good and bad, against servers that misbehave on purpose."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.rig import load

REPOSITORY = Path(__file__).resolve().parents[2]
Reply = Callable[[BaseHTTPRequestHandler, int], None]

pytestmark = pytest.mark.integration


@contextmanager
def server(reply: Reply) -> Iterator[int]:
    """Serve with `reply(handler, number of the request)`; yields the port."""
    numbers = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            reply(self, next(numbers))

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield httpd.server_port
        finally:
            httpd.shutdown()
            thread.join()


def say(handler: BaseHTTPRequestHandler, status: int, body: str, **headers: str) -> None:
    """A whole answer with a length."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body.encode())


def run(port: int, rate: float, seconds: float, *options: str) -> load.LoadResult:
    """The command, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.rig.load", str(port), str(rate), str(seconds), *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return load.LoadResult(**json.loads(done.stdout))


def test_every_answer_is_counted_by_revision_and_body() -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number % 4 == 0:
            say(handler, 200, "two", X_Shipper_Revision="rev2")
        else:
            say(handler, 200, "one", X_Shipper_Revision="rev1")

    with server(reply) as port:
        result = run(port, 200, 0.5)

    assert (result.sent, result.ok, result.failed, result.failures) == (100, 100, 0, {})
    assert result.by_revision == {"rev1": 75, "rev2": 25}
    assert result.by_body == {"one": 75, "two": 25}
    assert result.p50_ms is not None
    assert result.p99_ms is not None
    assert 0 < result.p50_ms <= result.p99_ms


def test_no_failure_is_forgiven_or_tried_again() -> None:
    asked: list[int] = []

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        asked.append(number)
        if number % 5 == 0:
            say(handler, 503, "busy")
        elif number % 5 == 1:
            handler.close_connection = True  # hang up without a word
        else:
            say(handler, 200, "good")

    with server(reply) as port:
        result = run(port, 100, 0.5, "--close")

    assert result.sent == len(asked) == 50
    assert result.ok == 30
    assert result.failures == {"http 503": 10, "IncompleteReadError on a new connection": 10}


def test_nobody_listening_fails_every_request() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = run(unused.getsockname()[1], 100, 0.2)

    assert (result.sent, result.ok, result.p99_ms) == (20, 0, None)
    assert result.failures == {"ConnectionRefusedError on a new connection": 20}


def test_silence_fails_after_the_time_limit() -> None:
    done = threading.Event()

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        done.wait(5)
        handler.close_connection = True

    with server(reply) as port:
        result = run(port, 20, 0.2, "--timeout", "0.3")
        done.set()

    assert result.failures == {"TimeoutError on a new connection": 4}
    assert result.seconds < 2


def test_a_slow_server_does_not_slow_the_load_down() -> None:
    done = threading.Event()

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 49:
            done.set()
        done.wait(5)
        say(handler, 200, "late")

    with server(reply) as port:
        result = run(port, 200, 0.25)

    assert (result.sent, result.ok) == (50, 50)


def test_bodies_without_a_length_are_read_whole() -> None:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(200)
        if number % 2:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"3\r\nchu\r\n3\r\nnks\r\n0\r\n\r\n")
        else:
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(b"till the end")

    with server(reply) as port:
        result = run(port, 100, 0.2)

    assert result.by_body == {"chunks": 10, "till the end": 10}


def test_it_asks_for_the_host_and_path_it_was_given() -> None:
    with server(lambda handler, _: say(handler, 200, f"{handler.headers['Host']}{handler.path}")) as port:
        result = run(port, 10, 0.1, "--host", "iris.test", "--path", "/predict")

    assert result.by_body == {"iris.test/predict": 1}


def test_load_goes_on_until_it_is_stopped_and_waits_for_its_last_answers() -> None:
    enough = threading.Event()

    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 20:
            enough.set()
        say(handler, 200, "ok")

    with server(reply) as port, load.start(port, 200) as running:
        assert enough.wait(10)
    result = running.stop()

    assert result.sent == result.ok >= 20


def test_load_that_cannot_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        load.start(80, 1, inside=[sys.executable, "-c", "raise SystemExit('no such namespace')"])
