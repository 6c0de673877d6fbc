"""A stand-in for Google Cloud Storage's XML API, as strict as the documentation in what a ledger relies on.

    python tests/rig/stores_gcs.py PORT

Strict: a bearer token on every request; buckets have to be made; `x-goog-if-generation-match` (0: absent) decides
under one lock and answers 412; 404 with NoSuchKey or NoSuchBucket; `If-Match` and `If-None-Match` on GET and HEAD;
a new generation for every write; and an object that is overwritten within a second of its last write is 429, which
the real one says from time to time ("once per second", Cloud Storage quotas). Listing is 501: nobody may need it.
What it gets wrong: nothing outlives the process, any token will do, and there is one region.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Kept:
    """One object."""

    generation: int
    body: bytes
    written: float

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'


@dataclass
class Refused(Exception):
    """An answer that is no success."""

    status: int
    code: str


@dataclass
class Buckets:
    """All buckets. Every method runs under one lock."""

    objects: dict[str, dict[str, Kept]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    generation: int = 1_700_000_000_000_000

    def make(self, bucket: str) -> None:
        with self.lock:
            self.objects.setdefault(bucket, {})

    def get(self, bucket: str, name: str) -> Kept:
        with self.lock:
            return self._there(bucket, name)

    def put(self, bucket: str, name: str, body: bytes, condition: str | None) -> Kept:
        with self.lock:
            there = self._bucket(bucket).get(name)
            self._check(there, condition)
            if there is not None and time.monotonic() - there.written < 1:
                raise Refused(429, "SlowDown")
            self.generation += 1
            self.objects[bucket][name] = Kept(self.generation, body, time.monotonic())
            return self.objects[bucket][name]

    def delete(self, bucket: str, name: str, condition: str | None) -> None:
        with self.lock:
            self._check(self._there(bucket, name), condition)
            del self.objects[bucket][name]

    def _bucket(self, bucket: str) -> dict[str, Kept]:
        if bucket not in self.objects:
            raise Refused(404, "NoSuchBucket")
        return self.objects[bucket]

    def _there(self, bucket: str, name: str) -> Kept:
        there = self._bucket(bucket).get(name)
        if there is None:
            raise Refused(404, "NoSuchKey")
        return there

    @staticmethod
    def _check(there: Kept | None, condition: str | None) -> None:
        if condition is None:
            return
        if not condition.isdecimal():
            raise Refused(400, "InvalidArgument")
        if int(condition) != (there.generation if there else 0):
            raise Refused(412, "PreconditionFailed")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: Nagle would add 40 ms to each
    disable_nagle_algorithm = True
    buckets = Buckets()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._answer(body)
        except Refused as refused:
            text = f"<?xml version='1.0'?><Error><Code>{refused.code}</Code><Message>no</Message></Error>"
            self._send(refused.status, text.encode(), {"Content-Type": "application/xml"})

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = handle_request  # noqa: N815 - the base class's names

    def _answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        bucket, _, name = unquote(url.path).lstrip("/").partition("/")
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            raise Refused(401, "AuthenticationRequired")
        condition = self.headers.get("x-goog-if-generation-match")
        if self.command == "PUT" and bucket and not name:
            self.buckets.make(bucket)
            self._send(200, b"", {})
        elif self.command == "PUT" and name and not self.headers.get("x-goog-copy-source"):
            self._send(200, b"", self._described(self.buckets.put(bucket, name, body, condition)))
        elif self.command in ("GET", "HEAD") and name:
            self._read(self.buckets.get(bucket, name))
        elif self.command == "DELETE" and name:
            self.buckets.delete(bucket, name, condition)
            self._send(204, b"", {})
        else:
            raise Refused(501, "NotImplemented")

    def _read(self, kept: Kept) -> None:
        if self.headers.get("If-Match") not in (None, "*", kept.etag):
            raise Refused(412, "PreconditionFailed")
        if self.headers.get("If-None-Match") in ("*", kept.etag):
            self._send(304, b"", self._described(kept))
        else:
            self._send(200, kept.body, self._described(kept))

    @staticmethod
    def _described(kept: Kept) -> dict[str, str]:
        written = formatdate(usegmt=True)
        return {"ETag": kept.etag, "x-goog-generation": str(kept.generation), "Last-Modified": written}

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Many clients begin at once."""

    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
