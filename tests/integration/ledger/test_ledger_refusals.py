"""Stores that refuse us or say nothing: each has its own words and its own advice, and none of them takes long."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shipper.errors import LedgerError
from shipper.ledger.log import StoredLedger
from shipper.ledger.opening import open_ledger
from shipper.model import LedgerState, Started
from tests.integration.ledger.ledger_workers import holder, release
from tests.rig.stores import RunningStore

pytestmark = pytest.mark.integration

SECRET = "wJalrXUtnFEMI"
GIVES_UP_WITHIN = 7.0
"""Seconds: two requests of 2.5 s, and what a busy machine adds."""


def on_s3(endpoint: str, bucket: str = "shipper-test") -> StoredLedger:
    environ = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": SECRET}
    return open_ledger(f"s3://{bucket}/x", service="iris", environment="dev", target="docker", environ=environ)


def begin(state: LedgerState) -> Started:
    return Started(release=release(state.highest + 1), by=holder("run-1"))


def refusal(ledger: StoredLedger, *, writing: bool = False) -> LedgerError:
    """What it says instead of an answer, in time."""
    call = partial(ledger.append, begin, run="run-1", epoch=1) if writing else ledger.state
    began = time.monotonic()
    with pytest.raises(LedgerError) as caught:
        call()
    assert time.monotonic() - began < GIVES_UP_WITHIN
    assert caught.value.code == 33
    assert caught.value.hint
    told = " ".join([caught.value.message, caught.value.hint, *caught.value.details])
    assert SECRET not in told
    assert "Debug" not in told
    return caught.value


@contextlib.contextmanager
def answering(status: int, code: str) -> Iterator[str]:
    """An endpoint that always answers in this way."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = refuse  # noqa: N815 - the base class's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_nobody_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = refusal(on_s3(f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert "s3://shipper-test/x/iris/dev/docker" in error.message
    assert "the store does not answer" in error.message
    assert "network" in error.hint


@pytest.mark.parametrize("writing", [False, True])
def test_somebody_listens_and_never_answers(writing: bool) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        error = refusal(on_s3(f"http://127.0.0.1:{silent.getsockname()[1]}"), writing=writing)
    assert "the store does not answer" in error.message


@pytest.mark.parametrize(
    ("status", "code", "words", "hint"),
    [
        (403, "InvalidAccessKeyId", "does not accept our credentials", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "does not accept our credentials", "AWS_ACCESS_KEY_ID"),
        (400, "ExpiredToken", "does not accept our credentials", "sign in"),
        (401, "AuthenticationRequired", "does not accept our credentials", "AWS_ACCESS_KEY_ID"),
        (403, "AccessDenied", "not permitted (AccessDenied)", "s3:ListBucket"),
        (404, "NoSuchBucket", "there is no bucket for s3://shipper-test/x", "create it"),
        (301, "PermanentRedirect", "the store sends us elsewhere", "AWS_REGION"),
        (400, "InvalidRequest", "the store answers 400 InvalidRequest", "URL"),
        (503, "SlowDown", "the store answers 503 SlowDown", "try again"),
    ],
)
def test_each_refusal_has_its_own_words(status: int, code: str, words: str, hint: str) -> None:
    with answering(status, code) as endpoint:
        error = refusal(on_s3(endpoint))
        assert words in error.message
        assert hint in error.hint
        assert words in refusal(on_s3(endpoint), writing=True).message


def test_a_bucket_that_is_not_there_is_no_empty_ledger(s3: RunningStore, gcs: RunningStore) -> None:
    assert "there is no bucket" in refusal(on_s3(s3.endpoint, bucket="nobody-made-it")).message
    place = {"service": "iris", "environment": "dev", "target": "docker"}
    missing = open_ledger("gs://nobody-made-it/x", **place, environ=gcs.environ)
    assert "there is no bucket for gs://nobody-made-it/x" in refusal(missing).message
