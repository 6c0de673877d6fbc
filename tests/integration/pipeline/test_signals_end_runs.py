"""Ctrl-C and SIGTERM against a real process: it ends soon, with the right code, and leaves no child behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.children import assert_gone, is_running

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parent / "interruptible.py"
ROOT = Path(__file__).parents[3]


class Started:
    """The process, and what it has said up to "ready"."""

    def __init__(self, what: str, *, stdin: int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), what],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.children: list[int] = []
        assert self.process.stdout is not None
        self.out: IO[str] = self.process.stdout
        for line in self.out:
            if line == "ready\n":
                break
            self.children.append(int(line.split()[1]))
        else:
            raise AssertionError(self.process.communicate()[1])

    def wait_for(self, line: str) -> None:
        assert any(said == line + "\n" for said in self.out)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def started() -> Iterator[list[Started]]:
    """Processes that are killed whatever happens."""
    all_of_them: list[Started] = []
    yield all_of_them
    for one in all_of_them:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def terminal() -> Iterator[int]:
    """What is typed into by nobody."""
    ours, theirs = pty.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_ends_the_build_and_everything_that_it_started(
    started: list[Started], number: signal.Signals, code: int
) -> None:
    build = Started("build")
    started.append(build)
    assert len(build.children) == 3
    assert all(is_running(child) for child in build.children)
    before = time.monotonic()

    build.signal(number)

    returncode, out, err = build.end()
    assert returncode == code
    assert time.monotonic() - before < 3
    assert out.startswith("error: ")
    assert err == ""  # no traceback
    assert_gone(*build.children)


def test_putting_back_is_waited_for_and_its_children_are_not_killed_by_the_terminals_signal(
    started: list[Started],
) -> None:
    restore = Started("restore")
    started.append(restore)

    os.killpg(restore.process.pid, signal.SIGINT)  # as a terminal does: to everybody in the group

    returncode, out, _ = restore.end()
    assert "put back" in out
    assert returncode == 130


def test_sigterm_after_sigint_as_ci_does_it(started: list[Started]) -> None:
    restore = Started("restore")
    started.append(restore)

    restore.signal(signal.SIGINT)
    restore.wait_for("told to stop")
    restore.signal(signal.SIGTERM)

    returncode, out, _ = restore.end()
    assert "put back" in out
    assert returncode == 130


def test_a_stage_that_cannot_be_stopped_does_not_hold_the_process_up(started: list[Started]) -> None:
    deaf = Started("deaf")
    started.append(deaf)
    before = time.monotonic()

    deaf.signal(signal.SIGINT)
    deaf.wait_for("told to stop")
    deaf.signal(signal.SIGTERM)

    returncode, out, _ = deaf.end()
    assert returncode == 22  # it may have moved traffic: a person is needed
    assert "deaf did not stop in time" in out
    assert time.monotonic() - before < 5


def test_a_second_ctrl_c_from_a_terminal_leaves_at_once(started: list[Started], terminal: int) -> None:
    build = Started("build", stdin=terminal)
    deaf = Started("deaf", stdin=terminal)
    started += [build, deaf]
    before = time.monotonic()

    deaf.signal(signal.SIGINT)
    deaf.wait_for("told to stop")
    deaf.signal(signal.SIGINT)

    returncode, _, err = deaf.end()
    assert returncode == 22  # it may have moved traffic, and puts nothing back
    assert "left at once and does not know what serves" in err
    assert time.monotonic() - before < 2
    build.signal(signal.SIGINT)
    build.end()
    assert_gone(*build.children)


def test_a_second_ctrl_c_before_anything_affects_traffic_is_an_interruption(
    started: list[Started], terminal: int
) -> None:
    stubborn = Started("stubborn", stdin=terminal)
    started.append(stubborn)

    stubborn.signal(signal.SIGINT)
    stubborn.wait_for("told to stop")
    stubborn.signal(signal.SIGINT)

    returncode, _, err = stubborn.end()
    assert returncode == 130
    assert "nothing that affects traffic was under way" in err
