"""Probes as Cloud Run makes them: https://cloud.google.com/run/docs/configuring/healthchecks.

An attempt begins every `period` seconds and may take `timeout`; `failure_threshold` failures in a row fail the probe.
HTTP passes with 2xx or 3xx, redirects are not followed. A TCP attempt tries to connect again and again until its
timeout, which is how the default probe (one attempt of 240 s) can work at all; that a TCP probe with other values does
the same is not verified.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing

from tests.rig.google.cloudrun.contract import ProbeSpec

_PAUSE = 0.02  # seconds between two tries to connect
_CONNECT = 2.0  # seconds for one try


def default_probe(port: int) -> ProbeSpec:
    """The startup probe of a container that declares none."""
    return ProbeSpec("tcp", port, timeout=240, period=240, failure_threshold=1)


def passes_in_time(probe: ProbeSpec, host: str, ended: threading.Event) -> bool:
    """Whether a startup probe passes; False as soon as `ended` is set, or the threshold is reached."""
    if ended.wait(probe.initial_delay):
        return False
    for _ in range(max(1, probe.failure_threshold)):
        began = time.monotonic()
        if attempt(probe, host, ended):
            return True
        if ended.wait(max(0.0, began + probe.period - time.monotonic())):
            return False
    return False


def watch(probe: ProbeSpec, host: str, ended: threading.Event, heard: Callable[[bool], None]) -> None:
    """Probe until `ended`: `heard(False)` when the threshold is reached, `heard(True)` when the probe passes again."""
    failures = 0
    pause = float(probe.initial_delay)
    while not ended.wait(pause):
        began = time.monotonic()
        passed = attempt(probe, host, ended)
        if ended.is_set():
            return
        failures = 0 if passed else failures + 1
        if passed or failures == max(1, probe.failure_threshold):
            heard(passed)
        pause = max(0.0, began + probe.period - time.monotonic())


def attempt(probe: ProbeSpec, host: str, ended: threading.Event) -> bool:
    """One attempt; given up as soon as `ended`: a connection to a container that is gone can hang for a minute."""
    passed: Future[bool] = Future()
    threading.Thread(target=_report, args=(probe, host, ended, passed), daemon=True).start()
    while not ended.is_set():
        try:
            return passed.result(_PAUSE)
        except TimeoutError:
            continue
    return False


def _report(probe: ProbeSpec, host: str, ended: threading.Event, passed: Future[bool]) -> None:
    try:
        if probe.kind == "http":
            passed.set_result(_http(probe, host))
        elif probe.kind == "grpc":
            passed.set_result(_grpc(probe, host))
        else:
            passed.set_result(_tcp(probe, host, ended))
    except Exception as error:  # noqa: BLE001 - raised again where the attempt is waited for
        passed.set_exception(error)


def _tcp(probe: ProbeSpec, host: str, ended: threading.Event) -> bool:
    deadline = time.monotonic() + probe.timeout
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, probe.port), timeout=min(left, _CONNECT)):
                return True
        except OSError:
            if ended.wait(min(_PAUSE, left)):
                return False
    return False


def _http(probe: ProbeSpec, host: str) -> bool:
    with closing(http.client.HTTPConnection(host, probe.port, timeout=probe.timeout)) as connection:
        try:
            connection.request("GET", probe.path or "/", headers=dict(probe.headers))
            return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False


def _grpc(probe: ProbeSpec, host: str) -> bool:
    """grpc.health.v1.Health/Check by hand, its two messages being one field each: SERVING is the bytes 08 01."""
    import grpc

    name = probe.grpc_service.encode()
    asked = b"\x0a" + bytes([len(name)]) + name if name else b""
    with grpc.insecure_channel(f"{host}:{probe.port}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return bool(check(asked, timeout=probe.timeout) == b"\x08\x01")
        except grpc.RpcError:
            return False
