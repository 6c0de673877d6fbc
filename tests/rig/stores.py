"""Object stores on loopback for tests: an S3-compatible server (ministack) and a stand-in for Google Cloud Storage.

    with stores.s3() as store:        # or stores.gcs()
        store.url, store.environ      # "s3://shipper-test/…" and what to put into the environment to reach it

Each is a process of its own on a free port, and ends with its block or with the process that started it.
What they get wrong: ministack checks no signature and has no 409 for two conditional writes at once; the stand-in for
GCS keeps everything in memory (stores_gcs.py says what it is strict about).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.rig.daemons import wait_until
from tests.rig.machine import alone, state_dir
from tests.rig.shell import RigError, run

BUCKET = "shipper-test"
_LOCK = Path(__file__).with_name("ministack.txt")
_SUPERVISOR = '"$@" & server=$!; cat >/dev/null; kill $server; wait $server'
"""Ends the server when the pipe that the test holds is closed, however that comes about."""


@dataclass(frozen=True)
class RunningStore:
    """An object store that answers."""

    kind: str
    scheme: str
    endpoint: str
    environ: Mapping[str, str]
    """What reaches it, and nobody else, under the names that shipper reads."""
    folder: Path | None = None
    """Of a store that is a directory."""

    @property
    def url(self) -> str:
        """A new place in it, every time."""
        place = secrets.token_hex(6)
        return (self.folder / place).as_uri() if self.folder else f"{self.scheme}://{BUCKET}/{place}"

    def through(self, endpoint: str) -> RunningStore:
        """The same store, asked by another way (a proxy)."""
        changed = {name: endpoint if value == self.endpoint else value for name, value in self.environ.items()}
        return replace(self, endpoint=endpoint, environ=changed)


@contextlib.contextmanager
def s3() -> Iterator[RunningStore]:
    """ministack's S3, in memory; installed from the package index at the first use, pinned by hash. About 1 s."""
    program = _ministack()
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SERVICES": "s3", "LOG_LEVEL": "WARNING"}
    with _serving([program], endpoint, settings):
        _make_bucket(endpoint)
        environ = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
        }
        yield RunningStore("S3 (ministack)", "s3", endpoint, environ)


@contextlib.contextmanager
def gcs() -> Iterator[RunningStore]:
    """The stand-in for Google Cloud Storage's XML API."""
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    script = Path(__file__).with_name("stores_gcs.py")
    with _serving([sys.executable, script, str(port)], endpoint, {}):
        _make_bucket(endpoint)
        yield RunningStore("GCS (stand-in)", "gs", endpoint, {"STORAGE_EMULATOR_HOST": endpoint})


@contextlib.contextmanager
def _serving(argv: Sequence[str | Path], endpoint: str, settings: Mapping[str, str]) -> Iterator[None]:
    words = ["sh", "-c", _SUPERVISOR, "sh", *map(str, argv)]
    environ = {**os.environ, **settings}
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
    )
    try:
        if not wait_until(lambda: process.poll() is not None or _answers(endpoint), 30) or process.poll() is not None:
            raise RigError(f"{Path(argv[-1]).name} does not answer on {endpoint}")
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def _ministack() -> Path:
    """The program, in an environment of its own below the rig's state."""
    made_from = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    folder = state_dir() / "ministack"
    stamp = folder / "made-from"
    with alone(state_dir()):
        if not stamp.exists() or stamp.read_text() != made_from:
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            options = [
                "--quiet",
                "--disable-pip-version-check",
                "--require-hashes",
                "--no-deps",
                "--only-binary",
                ":all:",
            ]
            run([folder / "bin" / "python", "-m", "pip", "install", *options, "--requirement", _LOCK])
            stamp.write_text(made_from)
    return folder / "bin" / "ministack"


def _make_bucket(endpoint: str) -> None:
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT", headers={"Authorization": "Bearer x"})
    with urllib.request.urlopen(request, timeout=10):
        pass


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
