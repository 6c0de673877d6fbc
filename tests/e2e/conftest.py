"""The installed command, a host of the test's own, and questions asked over HTTP."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.rig.api import Rig

pytestmark = pytest.mark.e2e

_NUMBERS = itertools.count()


@dataclass(frozen=True, repr=False)
class Ended:
    """A command that has ended: its exit code and what it said."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    def __repr__(self) -> str:
        last = self.events[-1] if self.events else {}
        said = [last.get("message", ""), *last.get("details", ())] if last else [self.stdout[-2000:]]
        told = [event["text"] for event in self.events if event["event"] in ("stage-progress", "remark")][-8:]
        return f"exit {self.code}: {' | '.join(said)}\n{self.stderr[-2000:]}\nlast told: {told}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines of `--json`."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]

    @property
    def finished(self) -> dict[str, Any]:
        """The last event."""
        last = self.events[-1]
        assert last["event"] == "run-finished", self
        return last

    @property
    def said(self) -> str:
        """The message, the details and the hint of the last event, as one text."""
        end = self.finished
        return "\n".join([end["message"], *end["details"], end["hint"]])

    def stages(self) -> dict[str, str]:
        """Stage to how it ended."""
        return {event["stage"]: event["status"] for event in self.events if event["event"] == "stage-finished"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    revision: str | None
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Host:
    """A Docker host as far as shipper is concerned: a proxy, a port and a network of the test's own."""

    shipper: Path
    rig: Rig
    namespace: str
    port: int
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def settings(self, **more: Any) -> dict[str, Any]:
        """What a project's shipper.toml says about this host, to be merged with more."""
        from tests.e2e.projects import merged

        here = {"targets": {"local": {"kind": "docker", "port": self.port, "namespace": self.namespace}}}
        return merged(here, more)

    def command(self, *words: object) -> list[str]:
        return [str(self.shipper), *(str(word) for word in words)]

    def variables(self, **more: str) -> dict[str, str]:
        """An environment with a home of its own, so that nothing of one test is seen by another."""
        own = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in ("STATE", "CACHE", "CONFIG", "DATA")}
        return {**os.environ, **self.rig.env(), **own, **self.environment, **more}

    def run(self, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ended:
        """The command, to its end, from a directory that has nothing to do with anything."""
        started = time.monotonic()
        process = subprocess.run(
            self.command(*words),
            env=self.variables(**(env or {})),
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(process.returncode, process.stdout, process.stderr, time.monotonic() - started)

    def release(self, folder: Path, *words: object, env: Mapping[str, str] | None = None) -> Ended:
        """`shipper release --json` of a project."""
        return self.run("release", "--json", "-C", folder, *words, env=env)

    def interrupt(self, folder: Path, when: Callable[[dict[str, Any]], bool], number: int = signal.SIGINT) -> Ended:
        """Release, and send the signal to the entry process as soon as an event is the one."""
        started = time.monotonic()
        process = subprocess.Popen(
            self.command("release", "--json", "-C", folder),
            env=self.variables(),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
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
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body)
        if host:
            request.add_header("Host", host)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return Answer(answer.status, answer.headers.get("X-Shipper-Revision"), answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers.get("X-Shipper-Revision"), error.read().decode())

    def containers(self, *, every: bool = False) -> list[str]:
        """Names of this host's service containers, running ones unless `every`."""
        names = _docker(
            "ps", *(["-a"] if every else []), "--format", "{{.Names}}", "--filter", f"name=^{self.namespace}-"
        )
        return sorted(name for name in names.splitlines() if name != f"{self.namespace}-proxy")

    def clean_up(self) -> None:
        """Remove what this test made, and nothing else."""
        names = _docker("ps", "-aq", "--filter", f"name=^{self.namespace}-").split()
        if names:
            _docker("rm", "-f", "-v", *names)
        for volume in _docker("volume", "ls", "-q", "--filter", f"name=^{self.namespace}-").split():
            _docker("volume", "rm", "-f", volume)
        for network in _docker("network", "ls", "-q", "--filter", f"name=^{self.namespace}$").split():
            _docker("network", "rm", network)


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout


def docker(*words: str) -> str:
    """Ask the engine, beside shipper."""
    return _docker(*words)


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


@pytest.fixture
def host(shipper: Path, rig: Rig, tmp_path: Path) -> Iterator[Host]:
    """A host with nothing on it yet."""
    home = tmp_path / "home"
    home.mkdir()
    made = Host(shipper, rig, f"e2e{os.getpid()}-{next(_NUMBERS)}", free_port(), home)
    yield made
    made.clean_up()
