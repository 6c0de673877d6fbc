"""Children are real here: what they start ends with them, whatever happens."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from shipper.errors import Interrupted
from shipper.pipeline import RunCancellation
from shipper.processes import ProgramMissing, TimedOut, kill_all, run
from tests.children import assert_gone

pytestmark = pytest.mark.integration


class Family:
    """A shell and its two children: it names them, and says when it is ready."""

    script = "sleep 1000 & echo $!; sleep 1000 & echo $!; echo $$; echo ready; wait"

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.ready = threading.Event()

    def hear(self, stream: str, line: str) -> None:
        if line == "ready":
            self.ready.set()
        else:
            self.pids.append(int(line))


def test_a_status_other_than_zero_is_told_and_not_raised() -> None:
    finished = run(["sh", "-c", "echo out; echo err >&2; exit 3"])

    assert (finished.returncode, finished.stdout, finished.stderr) == (3, "out\n", "err\n")
    assert not finished.ok


def test_lines_arrive_while_the_child_runs_in_the_callers_thread() -> None:
    heard: list[tuple[str, str, str]] = []

    run(
        ["sh", "-c", "echo a; echo b >&2"], on_line=lambda *line: heard.append((*line, threading.current_thread().name))
    )

    here = threading.current_thread().name
    assert sorted(heard) == [("stderr", "b", here), ("stdout", "a", here)]


def test_a_child_gets_its_input_and_may_ignore_it() -> None:
    large = b"x" * 1_000_000

    assert len(run(["cat"], input=large).stdout) == len(large)
    assert run(["true"], input=large).ok


def test_there_is_no_shell_and_no_terminal_input() -> None:
    assert run(["echo", "$HOME; rm -rf *"]).stdout == "$HOME; rm -rf *\n"
    assert run(["cat"]).stdout == ""


def test_a_missing_program_is_named_with_a_hint() -> None:
    with pytest.raises(ProgramMissing, match="no-such-program cannot be run") as caught:
        run(["no-such-program", "--token", "hunter2"])

    assert "install no-such-program" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_at_the_time_limit_the_whole_family_ends() -> None:
    family = Family()

    with pytest.raises(TimedOut, match=r"sh did not end within 0\.5 s"):
        run(["sh", "-c", family.script], timeout=0.5, on_line=family.hear)

    assert len(family.pids) == 3
    assert_gone(*family.pids)


def test_who_ignores_sigterm_is_killed_after_two_seconds() -> None:
    started = time.monotonic()

    with pytest.raises(TimedOut) as caught:
        run(["sh", "-c", "trap '' TERM; echo stubborn; while :; do sleep 0.1; done"], timeout=0.2)

    assert caught.value.details == ("stubborn",)
    assert 2.0 <= time.monotonic() - started < 4.0


def test_cancelling_ends_the_whole_family_and_says_why() -> None:
    family, cancel = Family(), RunCancellation()
    started = time.monotonic()

    def cancel_when_ready() -> None:
        family.ready.wait(5)
        cancel.cancel(Interrupted("stop, please"))

    threading.Thread(target=cancel_when_ready).start()

    with pytest.raises(Interrupted, match="stop, please"):
        run(["sh", "-c", family.script], cancel=cancel, on_line=family.hear)

    assert time.monotonic() - started < 2.0
    assert_gone(*family.pids)


def test_nothing_starts_once_cancelled(tmp_path: Path) -> None:
    cancel = RunCancellation()
    cancel.cancel(Interrupted("too late"))

    with pytest.raises(Interrupted):
        run(["touch", str(tmp_path / "started")], cancel=cancel)

    assert not (tmp_path / "started").exists()


def test_a_listener_that_fails_leaves_nobody_behind() -> None:
    family = Family()

    def fail_when_ready(stream: str, line: str) -> None:
        family.hear(stream, line)
        if family.ready.is_set():
            raise ValueError("the listener failed")

    with pytest.raises(ValueError, match="the listener failed"):
        run(["sh", "-c", family.script], on_line=fail_when_ready)

    assert_gone(*family.pids)


def test_a_daemon_that_keeps_the_pipes_open_delays_nobody() -> None:
    started = time.monotonic()

    finished = run(["sh", "-c", "sleep 1000 & echo $!"])

    assert time.monotonic() - started < 2.0
    assert_gone(int(finished.stdout))


def test_memory_is_bounded_whatever_the_child_says() -> None:
    finished = run(["sh", "-c", "seq 1 300000"], keep=3)

    assert finished.stdout.split() == ["299998", "299999", "300000"]
    assert finished.dropped == 299_997


def test_many_threads_at_once() -> None:
    found: dict[int, str] = {}

    def one(number: int) -> None:
        found[number] = run(["sh", "-c", f"echo {number}"]).stdout.strip()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: str(number) for number in range(16)}


def test_leaving_at_once_kills_every_family() -> None:
    family = Family()
    ended = threading.Thread(target=lambda: run(["sh", "-c", family.script], on_line=family.hear))
    ended.start()
    assert family.ready.wait(5)

    kill_all()

    ended.join(5)
    assert not ended.is_alive()
    assert_gone(*family.pids)


def test_the_child_has_a_session_of_its_own() -> None:
    finished = run([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"])

    assert finished.stdout == "True\n"


def test_a_status_that_the_kernel_threw_away_is_no_success() -> None:
    program = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from shipper.processes import run; print(run(['sh', '-c', 'echo said']))"
    )

    finished = run([sys.executable, "-c", program], env={"PYTHONPATH": str(Path(__file__).parents[3])})

    assert "returncode=-255, stdout='said" in finished.stdout
