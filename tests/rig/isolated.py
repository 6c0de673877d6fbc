"""A second Docker engine in namespaces of its own, to test the other image store.

It has its own network, processes, mounts, data and registry, and no way to the outside, so it cannot touch
the engine, the bridges or the images of this machine. Its supervisor waits for the end of a pipe that the
test holds: everything in it ends and is removed when the test does, however the test ends.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.rig import debian, registry
from tests.rig.daemons import wait_until
from tests.rig.images import BASE, PROXY
from tests.rig.machine import Machine, is_root, survey
from tests.rig.shell import RigError, attempt, run

Store = Literal["containerd", "overlay2"]

_TOOLS = {
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "tini": "tini",
    "ip": "iproute2",
    "mount": "mount",
}

_SUPERVISOR = """
mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
docker-registry serve "$1/registry.json" >"$1/registry.log" 2>&1 &
dockerd --config-file "$1/dockerd.json" >"$1/dockerd.log" 2>&1 &
echo started
cat >/dev/null
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null
kill "$(cat /var/run/docker.pid)" && while [ -e /var/run/docker.pid ]; do sleep 0.1; done
rm -rf "$1"
"""

_ASK = """
import json, sys, urllib.error, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(urllib.request.Request(sys.argv[1], headers={"Host": sys.argv[2]}), timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, dict(answer.headers), answer.read().decode("utf-8", "replace")]))
"""


class IsolatedEngine:
    """An engine with the image store of your choice, as a context manager.

    Its socket can be used from outside (`docker_host`). The ports that its containers publish, and its
    registry, exist inside only: use `run` or `ask`, or put the words of `inside` before a command.
    """

    def __init__(self, store: Store = "containerd") -> None:
        self.store = store
        self._rig = survey()
        self._machine: Machine | None = None
        self._unshare: subprocess.Popen[str] | None = None
        self._again: subprocess.Popen[bytes] | None = None
        self._first_process = 0

    @property
    def registry(self) -> str:
        """The address of the registry, inside."""
        return self._own.registry

    @property
    def docker_host(self) -> str:
        """The engine's address, for DOCKER_HOST; good inside and outside."""
        return f"unix://{self._own.state}/docker.sock"

    @property
    def first_process(self) -> int:
        """The number, outside, of the process that everything inside descends from."""
        if not self._first_process:
            raise RigError("this isolated engine has not been started")
        return self._first_process

    def env(self) -> Mapping[str, str]:
        """The environment that points a docker command at this engine."""
        return {"DOCKER_HOST": self.docker_host}

    def inside(self, argv: Sequence[str | Path] = (), cwd: Path | None = None) -> list[str]:
        """The words that run a command inside."""
        namespaces = ["--net", "--mount", "--pid", f"--wdns={(cwd or Path.cwd()).absolute()}"]
        return ["nsenter", f"--target={self._first_process}", *namespaces, *map(str, argv)]

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end, whatever its exit code."""
        return subprocess.run(
            self.inside(argv, cwd),
            env={**os.environ, **(env or {}), **self.env()},
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def ask(self, url: str, host: str | None = None) -> tuple[int, Mapping[str, str], str]:
        """GET an address that exists inside only: its status, headers and body."""
        done = self.run([sys.executable, "-c", _ASK, url, host or urllib.parse.urlsplit(url).netloc])
        if done.returncode != 0:
            raise RigError(f"{url} does not answer: {done.stderr.strip().splitlines()[-1]}")
        status, headers, body = json.loads(done.stdout)
        return status, headers, body

    def start(self, images: Sequence[str] = (BASE, PROXY)) -> None:
        """Start it, with these images in its registry and in the engine."""
        self._check()
        folder = _new_folder(self._rig.state / "isolated")
        self._machine = replace(self._rig, state=folder, users_engine=False)
        _seed(self._rig.state, folder, images)
        (folder / "registry.json").write_text(json.dumps(registry.settings(self._own)))
        (folder / "dockerd.json").write_text(json.dumps(self._settings()))
        self._unshare = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("tini", "--", "sh", "-c", _SUPERVISOR, "sh", folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name != "DOCKER_HOST"},
            start_new_session=True,
            text=True,
        )
        assert self._unshare.stdout is not None
        if self._unshare.stdout.readline() != "started\n":
            raise RigError("the namespaces of the isolated engine cannot be made here")
        self._first_process = _only_child(self._unshare.pid)
        if not wait_until(self._answers, patience=60):
            log = (folder / "dockerd.log").read_text(errors="replace")
            raise RigError(f"the isolated engine does not answer: {log[-500:]}")
        for image in images:
            run(["docker", "pull", "--quiet", image], env=self.env(), timeout=300)

    def restart(self) -> None:
        """End the engine as a service manager does, its containers with it, and start it again."""
        ended = 'kill "$(cat /var/run/docker.pid)" && while [ -e /var/run/docker.pid ]; do sleep 0.1; done'
        if self.run(["timeout", "60", "sh", "-c", ended]).returncode != 0:
            raise RigError("the isolated engine does not end")
        with (self._own.state / "dockerd.log").open("a") as log:
            self._again = subprocess.Popen(
                self.inside(["dockerd", "--config-file", self._own.state / "dockerd.json"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={name: value for name, value in os.environ.items() if name != "DOCKER_HOST"},
                start_new_session=True,
            )
        if not wait_until(self._answers, patience=60):
            raise RigError("the isolated engine does not start again")

    def stop(self) -> None:
        """End everything inside and remove what it kept."""
        if self._unshare is not None:
            assert self._unshare.stdin is not None
            self._unshare.stdin.close()
            try:
                self._unshare.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self._unshare.kill()
                self._unshare.wait()
        if self._again is not None:
            self._again.wait(timeout=60)  # it ended with the first process of its namespace
        if self._machine is not None:
            shutil.rmtree(self._own.state, ignore_errors=True)

    def __enter__(self) -> IsolatedEngine:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def _own(self) -> Machine:
        if self._machine is None:
            raise RigError("this isolated engine has not been started")
        return self._machine

    def _check(self) -> None:
        if not is_root() or not sys.platform.startswith("linux"):
            raise RigError("an isolated engine needs root on Linux")
        missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
        if missing:
            debian.install(missing, self._rig.state / "apt")

    def _answers(self) -> bool:
        assert self._unshare is not None
        if self._unshare.poll() is not None:
            raise RigError("the isolated engine ended at once")
        return attempt(["docker", "--host", self.docker_host, "version"]) is not None

    def _settings(self) -> Mapping[str, object]:
        return {
            "hosts": ["unix:///var/run/docker.sock", self.docker_host],
            "data-root": str(self._own.state / "docker"),
            "registry-mirrors": [f"http://{self.registry}"],
            "features": {"containerd-snapshotter": self.store == "containerd"},
            "shutdown-timeout": 5,
        }


def _new_folder(parent: Path) -> Path:
    """A folder named after this process; those of processes that are gone are removed first."""
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.iterdir():
        if not Path(f"/proc/{old.name.partition('-')[0]}").exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))


def _seed(rig: Path, folder: Path, images: Sequence[str]) -> None:
    """Give a new registry the images of the rig's own: hard links to blobs, which never change."""
    source, target = (place / "registry" / "docker" / "registry" / "v2" for place in (rig, folder))
    for image in images:
        repository = Path("repositories", "library", image.partition(":")[0])
        if not (source / repository).exists():
            raise RigError(f"the rig's registry does not have {image}: run `python -m tests.rig up` first")
        shutil.copytree(source / repository, target / repository)
        for link in (target / repository).rglob("link"):
            digest = link.read_text().removeprefix("sha256:")
            blob = Path("blobs", "sha256", digest[:2], digest, "data")
            if (source / blob).exists() and not (target / blob).exists():
                (target / blob).parent.mkdir(parents=True)
                os.link(source / blob, target / blob)


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
