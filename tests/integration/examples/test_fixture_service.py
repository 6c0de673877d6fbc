"""The fixture service does what its behaviour says, run as a plain process."""

import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.projects import Behaviour, write_service

pytestmark = pytest.mark.integration

PATIENCE = 10.0


@contextmanager
def running(folder: Path, behaviour: Behaviour, **options: str) -> Iterator["Running"]:
    """The service as a process, until the block ends."""
    project = write_service(folder / "shop", behaviour=behaviour, git=False, **options)  # type: ignore[arg-type]
    port = two_free_ports()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, project.folder / "app.py"], env={"PORT": str(port)}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield Running(process, port, folder / "log")
    finally:
        process.kill()
        process.wait()


def two_free_ports() -> int:
    """The first of two in a row: one behaviour listens on the next one.

    Below those that the kernel gives to clients: on a busy machine one of them may take the second at any moment.
    """
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as one, socket.socket() as two, contextlib.suppress(OSError):
            one.bind(("", port))
            two.bind(("", port + 1))
            return port


class Running:
    """A process and how to ask it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def ask(self, path: str, body: bytes | None = None, host: str = "127.0.0.1", port: int = 0) -> tuple[int, object]:
        """Status and JSON of the answer, once the service listens."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + PATIENCE
        while True:
            request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", body, {"Host": host})
            try:
                with opener.open(request, timeout=PATIENCE) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def ends(self) -> int:
        """The exit status, and no later than a test can wait."""
        return self.process.wait(PATIENCE)


def test_a_good_one_names_itself_and_predicts(tmp_path: Path) -> None:
    with running(tmp_path, "good", version="7") as service:
        assert service.ask("/healthz") == (200, {"status": "ready"})
        assert service.ask("/") == (200, {"service": "shop", "version": "7"})
        assert service.ask("/predict", b'{"features": [1, 2]}') == (200, {"prediction": 3, "version": "7"})
        assert service.ask("/predict", b"nonsense")[0] == 422
        service.process.send_signal(signal.SIGTERM)
        assert service.ends() == 0


def test_a_crash_says_which_variable_is_missing(tmp_path: Path) -> None:
    with running(tmp_path, "crash") as service:
        assert service.ends() == 1
    assert "KeyError: 'FEATURE_STORE_URL'" in service.log.read_text()


@pytest.mark.parametrize(
    ("behaviour", "path", "status"),
    [("never-ready", "/healthz", 503), ("unhealthy", "/healthz", 500), ("error", "/", 500), ("error", "/healthz", 200)],
)
def test_a_broken_one_answers_with_its_status(tmp_path: Path, behaviour: Behaviour, path: str, status: int) -> None:
    with running(tmp_path, behaviour) as service:
        assert service.ask(path)[0] == status


def test_the_wrong_port_is_the_next_one(tmp_path: Path) -> None:
    with running(tmp_path, "wrong-port") as service:
        assert service.ask("/healthz", port=service.port + 1)[0] == 200


def test_one_that_stumbles_over_bad_input_answers_500(tmp_path: Path) -> None:
    with running(tmp_path, "trips-over-bad-input") as service:
        assert service.ask("/predict", b"nonsense")[0] == 500


def test_one_host_is_fine_by_address_and_refuses_a_name(tmp_path: Path) -> None:
    with running(tmp_path, "one-host") as service:
        assert service.ask("/", host="127.0.0.1:80")[0] == 200
        assert service.ask("/", host="shop.localhost")[0] == 400
        assert service.ask("/healthz", host="shop.localhost")[0] == 200


def test_a_refused_network_is_never_ready_and_another_one_is(tmp_path: Path) -> None:
    with running(tmp_path, "network-refused", network="0.0.0.0/0") as service:
        assert service.ask("/healthz")[0] == 503
    with running(tmp_path, "network-refused", network="192.0.2.0/24") as service:
        assert service.ask("/healthz")[0] == 200
