"""Probes of the rig's Cloud Run, against sockets of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import closing, contextmanager

import grpc
import pytest

from tests.rig.google.cloudrun.contract import ProbeSpec
from tests.rig.google.cloudrun.instances_probes import attempt, default_probe, passes_in_time, watch

pytestmark = pytest.mark.integration

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


@contextmanager
def health(answers: dict[bytes, bytes]) -> Iterator[int]:
    """A gRPC server with the health service: request bytes -> answer bytes; yields its port."""

    def check(asked: bytes, context: grpc.ServicerContext) -> bytes:
        if asked not in answers:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answers[asked]

    server = grpc.server(futures.ThreadPoolExecutor(2))
    handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("service", "passes"), [("", True), ("iris", True), ("sick", False), ("unknown", False)], ids=str
)
def test_a_grpc_probe_asks_the_health_service(service: str, passes: bool) -> None:
    answers = {b"": SERVING, b"\x0a\x04iris": SERVING, b"\x0a\x04sick": NOT_SERVING}
    with health(answers) as port:
        probe = ProbeSpec("grpc", port, grpc_service=service, timeout=5)

        assert attempt(probe, "127.0.0.1", threading.Event()) is passes


def test_a_tcp_probe_passes_as_soon_as_somebody_listens() -> None:
    port = free_port()
    listening = threading.Timer(0.2, lambda: servers.append(socket.create_server(("127.0.0.1", port))))
    servers: list[socket.socket] = []
    listening.start()
    began = time.monotonic()

    assert passes_in_time(default_probe(port), "127.0.0.1", threading.Event())

    assert 0.2 <= time.monotonic() - began < 5  # of the 240 s that it may take
    servers[0].close()


def test_a_probe_is_given_up_at_once_when_the_container_ends_even_while_it_waits_for_an_answer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # takes the connection, never answers
        probe = ProbeSpec("http", silent.getsockname()[1], timeout=60, period=60)
        ended = threading.Event()
        threading.Timer(0.2, ended.set).start()
        began = time.monotonic()

        assert not passes_in_time(probe, "127.0.0.1", ended)

        assert time.monotonic() - began < 5


def test_the_threshold_counts_attempts_and_the_period_is_from_start_to_start() -> None:
    probe = ProbeSpec("http", free_port(), timeout=1, period=1, failure_threshold=2)
    began = time.monotonic()

    assert not passes_in_time(probe, "127.0.0.1", threading.Event())

    assert 2 <= time.monotonic() - began < 4


def test_a_watch_speaks_up_at_the_threshold_and_when_the_probe_passes_again() -> None:
    heard: list[bool] = []
    ended = threading.Event()
    answers = {b"": NOT_SERVING}
    with health(answers) as port:

        def hear(passed: bool) -> None:
            heard.append(passed)
            if passed:
                ended.set()
            answers[b""] = SERVING

        probe = ProbeSpec("grpc", port, timeout=1, period=0, failure_threshold=3)
        watch(probe, "127.0.0.1", ended, hear)

    assert heard == [False, True]
