"""A second engine with the other image store, which leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import load
from tests.rig.api import Rig, RigError
from tests.rig.daemons import wait_until
from tests.rig.isolated import IsolatedEngine
from tests.rig.machine import survey

pytestmark = pytest.mark.integration
REPOSITORY = Path(__file__).resolve().parents[2]

DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /site
COPY index.html .
CMD ["python", "-m", "http.server", "8000"]
"""

HOLDER = """
from tests.rig.isolated import IsolatedEngine
engine = IsolatedEngine()
engine.start(images=["python:3.11-slim"])
engine.run(["docker", "run", "--detach", "python:3.11-slim", "sleep", "600"])
print(engine.docker_host.removeprefix("unix://"), flush=True)
input()
"""


@pytest.fixture(scope="module")
def engine(rig: Rig) -> Iterator[IsolatedEngine]:
    """An engine with the containerd image store."""
    isolated = IsolatedEngine("containerd")
    try:
        isolated.start()
    except RigError as error:
        isolated.stop()
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield isolated
    isolated.stop()


def test_it_uses_the_store_that_was_asked_for(engine: IsolatedEngine) -> None:
    done = engine.run(["docker", "info", "--format", "{{json .DriverStatus}}"])

    assert "io.containerd.snapshotter.v1" in done.stdout, done.stderr


def test_it_builds_pushes_runs_and_answers_without_a_network(engine: IsolatedEngine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "index.html").write_text("hello from inside")
    image = f"{engine.registry}/hello:1"

    built = engine.run(["docker", "buildx", "build", "--push", "--tag", image, "."], cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    ran = engine.run(["docker", "run", "--detach", "--publish", "127.0.0.1:8080:8000", image])
    assert ran.returncode == 0, ran.stderr

    def answers() -> bool:
        try:
            return engine.ask("http://127.0.0.1:8080/")[::2] == (200, "hello from inside")
        except RigError:
            return False

    assert wait_until(answers, patience=20)
    with load.start(8080, 50, inside=engine.inside()) as running:
        assert wait_until(answers, patience=5)
    result = running.stop()
    assert result.failures == {}
    assert result.ok == result.sent > 0


def test_exit_codes_come_through(engine: IsolatedEngine) -> None:
    assert engine.run(["sh", "-c", "exit 7"]).returncode == 7


def test_it_is_not_the_engine_of_this_machine(engine: IsolatedEngine) -> None:
    name = ["docker", "info", "--format", "{{.ID}}"]
    here = subprocess.run(name, capture_output=True, text=True)

    assert here.stdout != engine.run(name).stdout


def test_nothing_is_left_when_the_test_that_holds_it_is_killed(engine: IsolatedEngine) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip()).parent
        assert folder.parent == survey().state / "isolated"
        children = len(_inside(folder))
        holder.send_signal(signal.SIGKILL)

    assert children > 0
    assert wait_until(lambda: not folder.exists() and not _inside(folder), patience=30)


def _inside(folder: Path) -> list[str]:
    """The processes that name the folder in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words:
            found.append(entry.parent.name)
    return found
