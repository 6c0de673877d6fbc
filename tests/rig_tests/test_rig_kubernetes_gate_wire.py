"""The gate on the wire, before a server of this test's own: long bodies, upgrades, pauses, and connections that end."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.rig.kubernetes import certificates
from tests.rig.kubernetes.gate.hands import GateHands

pytestmark = pytest.mark.integration

LONG = 9 << 20
"""Bytes: more than the gate reads before it passes on."""
PODS = "/api/v1/namespaces/shop/pods"


@dataclass
class Upstream:
    """A TLS server whose connections a test scripts, one after the other."""

    listener: socket.socket
    context: ssl.SSLContext
    scripts: list[Callable[[ssl.SSLSocket], None]] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.listener.getsockname()[1]}"

    def then(self, script: Callable[[ssl.SSLSocket], None]) -> None:
        """The next connection is played so."""
        self.scripts.append(script)

    def accept(self) -> None:
        """One connection after the other, each in a thread of its own, until the listener is closed."""
        for number in itertools.count():
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(plain, self.scripts[number]), daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more; what is connected stays so."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _play(self, plain: socket.socket, script: Callable[[ssl.SSLSocket], None]) -> None:
        try:
            with self.context.wrap_socket(plain, server_side=True) as connection:
                script(connection)
        except OSError:
            pass  # how a connection ends is looked at on the client's side
        except BaseException as error:  # noqa: BLE001 - looked at when the test ends
            self.failed.append(error)


@dataclass
class Gate:
    """The process, and connections to it."""

    server: tuple[str, int]
    hands: GateHands
    context: ssl.SSLContext
    process: subprocess.Popen[str]

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(self.server, timeout=20)
        return self.context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    certificates.make(folder)
    return folder


@pytest.fixture
def upstream(tls: Path) -> Iterator[Upstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "apiserver.crt", tls / "apiserver.key")
    made = Upstream(socket.create_server(("127.0.0.1", 0)), context)
    threading.Thread(target=made.accept, daemon=True).start()
    yield made
    if made.listener.fileno() >= 0:
        made.stop()
    assert made.failed == []


@pytest.fixture
def gate(upstream: Upstream, tls: Path, tmp_path: Path) -> Iterator[Gate]:
    words = [sys.executable, "-m", "tests.rig.kubernetes.gate", "--upstream", upstream.url, "--state", str(tmp_path)]
    files = ["--upstream-ca", tls / "ca.crt", "--cert", tls / "gate.crt", "--key", tls / "gate.key"]
    environ = {**os.environ, "PYTHONPATH": "."}
    with subprocess.Popen([*words, *map(str, files)], stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert json.loads((tmp_path / "ready").read_text()) == said
        port = int(said["server"].rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        yield Gate(("127.0.0.1", port), GateHands(said["hands"]), context, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def head_of(connection: ssl.SSLSocket) -> tuple[str, bytes]:
    """A request's or an answer's head, and what came with it already."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = connection.recv(1 << 16)
        assert piece, "ended inside a head"
        read += piece
    head, _, rest = read.partition(b"\r\n\r\n")
    return head.decode(), rest


def body_of(connection: ssl.SSLSocket, rest: bytes, length: int) -> bytes:
    pieces = [rest]
    while length > sum(map(len, pieces)):
        piece = connection.recv(1 << 20)
        assert piece, "ended inside a body"
        pieces.append(piece)
    return b"".join(pieces)


def test_long_bodies_pass_both_ways_on_one_connection(gate: Gate, upstream: Upstream) -> None:
    long = bytes(range(256)) * (LONG // 256)

    def serve(connection: ssl.SSLSocket) -> None:
        _, rest = head_of(connection)
        assert body_of(connection, rest, LONG) == long
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LONG + long)
        head, _ = head_of(connection)
        assert head.startswith("GET /readyz")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream.then(serve)
    with gate.connect() as client:
        client.sendall(b"POST %s/a/proxy HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (PODS.encode(), LONG) + long)
        head, rest = head_of(client)
        assert head.startswith("HTTP/1.1 200")
        assert body_of(client, rest, LONG) == long
        client.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
        _, rest = head_of(client)
        assert body_of(client, rest, 2) == b"ok"


def test_an_upgraded_connection_is_raw_both_ways(gate: Gate, upstream: Upstream) -> None:
    def serve(connection: ssl.SSLSocket) -> None:
        head_of(connection)
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello"
        )
        assert body_of(connection, b"", 4) == b"ping"
        connection.sendall(b"\x00pong")

    upstream.then(serve)
    with gate.connect() as client:
        client.sendall(b"GET %s/a/exec HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % PODS.encode())
        head, rest = head_of(client)
        assert head.startswith("HTTP/1.1 101")
        assert body_of(client, rest, 5) == b"hello"
        client.sendall(b"ping")
        assert body_of(client, b"", 5) == b"\x00pong"
        assert client.recv(1) == b"", "what ends there ends here"
    assert gate.hands.writes("shop") == []


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(gate: Gate, upstream: Upstream) -> None:
    def serve(connection: ssl.SSLSocket) -> None:
        _, rest = head_of(connection)
        assert rest == b""
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert body_of(connection, b"", 2) == b"{}"
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    upstream.then(serve)
    with gate.connect() as client:
        wanted = b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        client.sendall(b"POST %s HTTP/1.1\r\n%s" % (PODS.encode(), wanted))
        assert head_of(client)[0].startswith("HTTP/1.1 100")
        client.sendall(b"{}")
        assert head_of(client)[0].startswith("HTTP/1.1 201")
    assert [str(write) for write in gate.hands.writes("shop")] == ["1. create pods  -> 201"]


def test_an_event_that_is_half_through_is_not_cut_in_two(gate: Gate, upstream: Upstream) -> None:
    sent, go_on = threading.Event(), threading.Event()

    def serve(connection: ssl.SSLSocket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b'8\r\n{"type":\r\n')
        sent.set()
        assert go_on.wait(20)
        connection.sendall(b'a\r\n "ADDED"}\n\r\n')
        assert connection.recv(1) == b"", "nothing more is asked there"

    upstream.then(serve)
    upstream.then(lambda connection: None)  # the connection that the gate opens in place of the watch's
    with gate.connect() as client:
        client.sendall(b"GET %s?watch=true&resourceVersion=5 HTTP/1.1\r\n\r\n" % PODS.encode())
        _, rest = head_of(client)
        assert body_of(client, rest, 13) == b'8\r\n{"type":\r\n'
        assert sent.wait(20)
        assert gate.hands.expire_watches("shop", oldest=9) == 1
        go_on.set()
        rest = body_of(client, b"", 15)
        assert rest.startswith(b'a\r\n "ADDED"}\n\r\n')
        while not rest.endswith(b"0\r\n\r\n"):
            rest = body_of(client, rest, len(rest) + 1)
    event = json.loads(rest[15:].split(b"\r\n")[1])
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_watch_in_protobuf_ends_without_a_word(gate: Gate, upstream: Upstream) -> None:
    def serve(connection: ssl.SSLSocket) -> None:
        head_of(connection)
        kind = b"Content-Type: application/vnd.kubernetes.protobuf;stream=watch\r\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + kind + b"Transfer-Encoding: chunked\r\n\r\n2\r\nk8\r\n")
        assert connection.recv(1) == b"", "nothing more is asked there"

    upstream.then(serve)
    with gate.connect() as client:
        client.sendall(b"GET %s?watch=true HTTP/1.1\r\n\r\n" % PODS.encode())
        _, rest = head_of(client)
        assert body_of(client, rest, 7) == b"2\r\nk8\r\n"
        assert gate.hands.expire_watches("shop", oldest=9) == 1
        assert client.recv(1) == b""


def test_a_server_that_goes_takes_an_idle_client_along(gate: Gate, upstream: Upstream) -> None:
    def serve(connection: ssl.SSLSocket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    upstream.then(serve)
    with gate.connect() as client:
        client.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
        assert head_of(client)[0].startswith("HTTP/1.1 200")
        assert client.recv(1) == b""


def test_a_server_that_is_not_there_ends_the_connection(gate: Gate, upstream: Upstream) -> None:
    upstream.stop()
    with gate.connect() as client:
        client.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
        assert client.recv(1) == b""
    assert gate.hands.answers(), "it lives on"
