"""Configuration among real processes, files and repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shipper.config import find

pytestmark = pytest.mark.integration

SHIPPER = Path(sys.executable).with_name("shipper")
VERSIONS = """\
import json, os, sys
from pathlib import Path
from shipper.config import ResolvedSecrets, load
root = Path(sys.argv[1])
settings = load(root / "shipper.toml")
print("ready", flush=True)
sys.stdin.read(1)  # all begin together, when the writing end is closed
print(json.dumps(ResolvedSecrets(settings, os.environ, root).versions()))
"""


def test_however_many_processes_begin_at_once_they_share_one_key(tmp_path: Path) -> None:
    (tmp_path / "shipper.toml").write_text('service = "iris"\n[run.secrets]\nTOKEN = "env:TOKEN"\n')
    environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "TOKEN": "hunter2"}
    waiting, go = os.pipe()
    command = [sys.executable, "-c", VERSIONS, str(tmp_path)]
    started = [
        subprocess.Popen(command, stdin=waiting, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(8)
    ]
    outputs = [process.stdout for process in started if process.stdout is not None]
    assert [output.readline() for output in outputs] == ["ready\n"] * 8
    os.close(go)

    answers = [json.loads(process.communicate(timeout=60)[0]) for process in started]

    os.close(waiting)
    assert len({answer["TOKEN"] for answer in answers}) == 1
    assert [path.name for path in (tmp_path / "state" / "shipper").iterdir()] == ["key"]


def test_a_real_repository_and_its_worktree_are_recognised(tmp_path: Path) -> None:
    repository, worktree = tmp_path / "repository", tmp_path / "worktree"
    repository.mkdir()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(repository)]
    (repository / "shipper.toml").write_text('service = "iris"\n')
    (repository / "app").mkdir()
    (repository / "app" / "main.py").write_text("")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["worktree", "add", "-q", str(worktree)]):
        subprocess.run([*git, *command], check=True, capture_output=True)

    assert find(repository / "app") == repository / "shipper.toml"
    assert find(worktree / "app") == worktree / "shipper.toml"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"a." * 60_000 + b"a = 1", "nested more than 32 levels deep"),
        (b"a = " + b"[" * 100_000, "nested more than 32 levels deep"),
        (b"#" * 1_000_000, "larger than 256 kB"),
        (b'service = "iris"\n[run]\nport = "8080"\nprot = 1\n', "2 problems in shipper.toml"),
        (b'service = "\x00"', "not valid TOML"),
    ],
)
def test_the_command_refuses_with_exit_code_2_and_without_a_traceback(raw: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "shipper.toml").write_bytes(raw)
    begun = time.monotonic()

    ended = subprocess.run([SHIPPER, "config", "check"], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 2
    assert reason in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert all(len(line) < 100 for line in ended.stderr.splitlines())
    assert time.monotonic() - begun < 10, "tomllib alone takes a minute for the first of these"
