"""python-on-whales through `client_call`: the library is real, a program of our own stands where `docker` is."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from shipper.errors import Interrupted
from shipper.pipeline import RunCancellation
from shipper.processes import ClientFailed, TimedOut, client_call
from tests.children import assert_gone

pytestmark = pytest.mark.integration


@pytest.fixture
def docker(tmp_path: Path) -> DockerClient:
    """Fails, waits, or prints its environment, as its first argument of interest says."""
    program = tmp_path / "docker"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '  *hang*) echo $$ >&2; sleep 1000 & echo $! >&2; echo "waiting" >&2; wait ;;\n'
        '  *missing*) echo "Error: No such image: missing:1" >&2; exit 1 ;;\n'
        "  *tag*) env; exit 0 ;;\n"
        '  *) echo "denied: $*" >&2; exit 5 ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    return DockerClient(client_call=[str(program)])


def test_a_failure_is_short_and_holds_no_command_line(docker: DockerClient) -> None:
    with pytest.raises(ClientFailed) as caught:
        client_call(docker.image.inspect, "missing:1")

    assert str(caught.value) == "docker image inspect ended with status 1: Error: No such image: missing:1"
    assert caught.value.kind == "NoSuchImage"
    assert caught.value.returncode == 1
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_the_child_does_not_get_our_secrets(docker: DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hunter2")
    heard: list[str] = []

    client_call(docker.image.tag, "a", "b", on_line=lambda _, line: heard.append(line))

    assert any(line.startswith("PATH=") for line in heard)
    assert not any("hunter2" in line for line in heard)


def test_cancelling_ends_the_client_and_what_it_started(docker: DockerClient) -> None:
    cancel, heard = RunCancellation(), list[str]()

    def hear(_: str, line: str) -> None:
        heard.append(line)
        if line == "waiting":
            threading.Thread(target=cancel.cancel, args=(Interrupted("stop"),)).start()

    started = time.monotonic()
    with pytest.raises(Interrupted):
        client_call(docker.image.tag, "hang", "x", cancel=cancel, on_line=hear)

    assert time.monotonic() - started < 5
    assert_gone(int(heard[0]), int(heard[1]))


def test_a_client_that_hangs_is_ended_in_time(docker: DockerClient) -> None:
    with pytest.raises(TimedOut):
        client_call(docker.image.tag, "hang", "x", timeout=0.3)


def test_a_stream_is_refused(docker: DockerClient) -> None:
    with pytest.raises(TypeError, match="on_line"):
        client_call(docker.buildx.prune, stream_logs=True)


def test_outside_of_a_call_the_library_is_as_it_was(docker: DockerClient) -> None:
    with pytest.raises(ClientFailed):
        client_call(docker.image.inspect, "missing:1")

    with pytest.raises(DockerException):
        docker.image.inspect("missing:1")


def test_debugging_by_environment_prints_nothing(
    docker: DockerClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHON_ON_WHALES_DEBUG", "1")

    client_call(docker.image.tag, "a", "b")

    assert capfd.readouterr() == ("", "")
    assert "PYTHON_ON_WHALES_DEBUG" not in os.environ
