"""The installed command, and a Docker host of the test's own."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.answer import Answer, asked
from tests.e2e.machine import Ended, Machine
from tests.e2e.projects import merged
from tests.rig import stores

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.stores import RunningStore

pytestmark = pytest.mark.e2e

_NUMBERS = itertools.count()


@dataclass
class Host(Machine):
    """A Docker host as far as shipper is concerned: a proxy, a port and a network of the test's own."""

    namespace: str
    port: int

    def settings(self, **more: Any) -> dict[str, Any]:
        here = {"targets": {"local": {"kind": "docker", "port": self.port, "namespace": self.namespace}}}
        return merged(here, more)

    def release(self, folder: Path, *words: object, env: Mapping[str, str] | None = None) -> Ended:
        """`shipper release --json` of a project."""
        return self.run("release", "--json", "-C", folder, *words, env=env)

    def interrupt(self, folder: Path, when: Callable[[dict[str, Any]], bool], number: int = signal.SIGINT) -> Ended:
        """Release, and send the signal to the entry process as soon as an event is the one."""
        started = time.monotonic()
        process = self.start("release", "--json", "-C", folder)
        stderr: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: stderr.extend(process.stderr or []))
        reader.start()
        lines, sent = [], False
        for line in process.stdout:
            lines.append(line)
            if not sent and when(json.loads(line)):
                process.send_signal(number)
                sent = True
        code = process.wait(60)
        reader.join(10)
        assert sent, "the event that was waited for never came:\n" + "".join(lines)
        return Ended(code, "".join(lines), "".join(stderr), time.monotonic() - started)

    def ask(self, path: str = "/", *, host: str | None = None, body: bytes | None = None) -> Answer:
        """Ask what serves on this host."""
        return asked(f"http://127.0.0.1:{self.port}{path}", host=host, body=body, timeout=10)

    def containers(self, *, every: bool = False) -> list[str]:
        """Names of this host's service containers, running ones unless `every`."""
        names = docker(
            "ps", *(["-a"] if every else []), "--format", "{{.Names}}", "--filter", f"name=^{self.namespace}-"
        )
        return sorted(name for name in names.splitlines() if name != f"{self.namespace}-proxy")

    def clean_up(self) -> None:
        """Remove what this test made, and nothing else."""
        names = docker("ps", "-aq", "--filter", f"name=^{self.namespace}-").split()
        if names:
            docker("rm", "-f", "-v", *names)
        for volume in docker("volume", "ls", "-q", "--filter", f"name=^{self.namespace}-").split():
            docker("volume", "rm", "-f", volume)
        for network in docker("network", "ls", "-q", "--filter", f"name=^{self.namespace}$").split():
            docker("network", "rm", network)


def docker(*words: str) -> str:
    """Ask the engine, beside shipper: what it printed, nothing when it refused."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=120).stdout


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def shipper() -> Path:
    """The command as a user has it: the wheel, installed into an environment of its own."""
    from tools.venvs import installed

    return installed() / "shipper"


@pytest.fixture(scope="session")
def ledger_store() -> Iterator[RunningStore]:
    """An object store, for every ledger of this session that is in one."""
    with stores.gcs() as store:
        yield store


@pytest.fixture
def host(shipper: Path, rig: Rig, tmp_path: Path) -> Iterator[Host]:
    """A host with nothing on it yet."""
    home = tmp_path / "home"
    home.mkdir()
    made = Host(shipper, rig, home, f"e2e{os.getpid()}-{next(_NUMBERS)}", free_port())
    yield made
    made.clean_up()
