"""The commit of a context, asked of a real git; hostile repositories run nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.images.context import describe
from shipper.model import ImageSettings, ServiceSettings, Source

pytestmark = pytest.mark.integration

Git = Callable[..., str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "app").mkdir(parents=True)
    (root / "app" / "Dockerfile").write_text("FROM scratch\n")
    (root / "app" / "main.py").write_text("print(1)\n")
    (root / "README.md").write_text("read me\n")
    return root


@pytest.fixture
def git(root: Path) -> Git:
    """A repository with one commit of everything, at 1700000000."""

    def run(*args: str, at: int = 1700000000) -> str:
        who = {f"GIT_{role}_{part}": "ann" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        when = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"}
        done = subprocess.run(
            ["git", *args], cwd=root, env={**os.environ, **who, **when}, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    run("init", "--quiet")
    run("add", ".")
    run("commit", "--quiet", "-m", "first")
    return run


def source_of(root: Path) -> Source:
    return describe(ServiceSettings(service="images-git", root=str(root / "app")), ImageSettings())


def test_the_last_commit_that_touched_the_context_is_known(root: Path, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    (root / "README.md").write_text("changed\n")
    git("commit", "--quiet", "-am", "second", at=1800000000)

    source = source_of(root)

    assert source.commit == git("rev-parse", "HEAD") != first
    assert (source.context_commit, source.commit_time, source.dirty) == (first, 1700000000, False)


@pytest.mark.parametrize("name", ["app/main.py", "app/new.py", "app/Dockerfile"])
def test_a_change_in_the_context_makes_it_dirty(root: Path, git: Git, name: str) -> None:
    (root / name).write_text("FROM scratch # changed\n")

    assert source_of(root).dirty


def test_a_deleted_file_makes_it_dirty(root: Path, git: Git) -> None:
    (root / "app" / "main.py").unlink()

    assert source_of(root).dirty


def test_changes_that_are_not_sent_do_not_count(root: Path, git: Git) -> None:
    (root / "app" / ".dockerignore").write_text("notes\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "ignore")
    (root / "README.md").write_text("changed\n")
    (root / "app" / "notes").write_text("mine\n")

    assert not source_of(root).dirty


@pytest.mark.usefixtures("root")
def test_without_a_repository_there_is_no_commit(root: Path) -> None:
    source = source_of(root)

    assert (source.commit, source.commit_time, source.dirty) == (None, None, False)


def test_a_repository_without_a_commit_is_no_error(root: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)

    assert source_of(root).commit is None


def test_a_hostile_repository_runs_nothing(root: Path, git: Git, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    sprung = tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\necho $0 $* >> {sprung}\ncat\n")
    trap.chmod(0o755)
    (root / ".gitattributes").write_text("* filter=trap\n*.py filter=odd=name diff=trap\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "attributes")
    hooks = root / ".git" / "hooks"
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / hook).symlink_to(trap)
    for name, value in {
        "core.fsmonitor": str(trap),
        "core.pager": str(trap),
        "core.hooksPath": str(hooks),
        "core.sshCommand": str(trap),
        "diff.external": str(trap),
        "diff.trap.textconv": str(trap),
        "filter.trap.clean": str(trap),
        "filter.trap.process": str(trap),
        "filter.trap.required": "true",
        "filter.odd=name.clean": str(trap),
        "gpg.program": str(trap),
        "log.showSignature": "true",
        "alias.status": f"!{trap}",
        "remote.origin.url": "ext::" + str(trap),
        "remote.origin.promisor": "true",
    }.items():
        git("config", name, value)
    (root / "app" / "main.py").write_text("print(2)\n")
    sprung.unlink(missing_ok=True)

    source = source_of(root)

    assert source.dirty
    assert source.commit is not None
    assert not sprung.exists()
    subprocess.run(["git", "status"], cwd=root, capture_output=True, check=False)
    assert sprung.exists(), "the traps would have sprung"
