"""A third party's adapter: a distribution of its own, found by the installed command, and conforming."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.playing import RESULTS
from tests.e2e.machine import own_home
from tests.e2e.projects import write_service
from tools.venvs import BUILD, installed

if TYPE_CHECKING:
    from tests.rig.api import Rig

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(300)]

ADAPTER = Path(__file__).parent / "toy-adapter"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with shipper and shipper-toy installed from their wheels; its directory of commands."""
    ours = installed().parent
    folder = tmp_path_factory.mktemp("toy")
    pip = [str(BUILD / "backend" / "bin" / "python"), "-m", "pip"]
    words = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ADAPTER))
    subprocess.run([*pip, *words], check=True, timeout=120)
    venv.create(folder / "env")
    below = Path(sysconfig.get_path("purelib", vars={"base": ""})).relative_to("/")
    (folder / "env" / below / "dependencies.pth").write_text(str(ours / below))
    wheels = [*folder.glob("*.whl"), *(BUILD / "wheel").glob("*.whl")]
    python = folder / "env" / "bin" / "python"
    install = ("install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", *map(str, wheels))
    subprocess.run([*pip, "--python", str(python), *install], check=True, timeout=120)
    return folder / "env" / "bin"


@dataclass(frozen=True)
class Toys:
    """The installed command, and a running toy platform."""

    commands: Path
    root: Path
    home: Path
    rig: Rig

    def shipper(self, *words: object) -> dict[str, Any]:
        """The command's last JSON line, which has the exit code. It runs in an empty directory."""
        done = subprocess.run(
            [str(self.commands / "shipper"), *map(str, words)],
            env={**os.environ, **self.rig.env(), **own_home(self.home)},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        lines = done.stdout.splitlines()
        assert lines, done.stderr
        last: dict[str, Any] = json.loads(lines[-1] if len(lines) < 3 or lines[-1].startswith("{") else done.stdout)
        return {**last, "exit": done.returncode, "stderr": done.stderr}

    def ask(self, service: str) -> str:
        """As a user does."""
        connection = http.client.HTTPConnection("127.0.0.1", int((self.root / "port").read_text()), timeout=10)
        connection.request("GET", "/", headers={"Host": f"{service}.dev.localhost"})
        return connection.getresponse().read().decode()


@pytest.fixture
def toys(commands: Path, rig: Rig, tmp_path: Path) -> Iterator[Toys]:
    root, home = tmp_path / "platform", tmp_path / "home"
    home.mkdir()
    words = [str(commands / "python"), "-u", "-m", "shipper_toy.server", str(root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert "answers on port" in server.stdout.readline()
        try:
            yield Toys(commands, root, home, rig)
        finally:
            server.terminate()


def test_it_is_listed_where_it_is_installed(commands: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(commands / "shipper"), "targets"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "toy" in done.stdout


def test_release_status_and_rollback_work_with_it(toys: Toys, tmp_path: Path) -> None:
    def release(text: str) -> dict[str, Any]:
        says = {"image": {"labels": {"toy.answers": text}}, "targets": {"toy": {"kind": "toy", "root": str(toys.root)}}}
        project = write_service(tmp_path / "shop", version=text, settings=says, golden=False)
        return toys.shipper("release", "--json", "--target", "toy", "-C", project.folder)

    first = release("one")
    assert first["exit"] == 0, first
    assert toys.ask("shop") == "one"
    second = release("two")
    assert second["exit"] == 0, second
    assert toys.ask("shop") == "two"

    back = toys.shipper("rollback", "--json", "--service", "shop", "--target", f"toy://{toys.root}")
    assert back["exit"] == 0, back
    assert back["serves"]["proof"] == "identity", back
    assert toys.ask("shop") == "one"

    status = toys.shipper("status", "--json", "--service", "shop", "--target", f"toy://{toys.root}")
    assert status["exit"] == 0, status


def test_it_passes_the_suite_without_any_test_framework(commands: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    words = [str(commands / "python"), "-m", "shipper_toy.rig", str(results)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    if results.exists():
        RESULTS["toy"] = json.loads(results.read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(RESULTS["toy"].values()).count("passed") > 50
