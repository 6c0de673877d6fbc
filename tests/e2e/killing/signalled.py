"""A run that is interrupted as CI does it: SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.e2e.machine import Ended
from tests.rig.killing_processes import kill_tree

CI: Sequence[tuple[int, float]] = ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5))
"""Signal, and how long until the next one; the last one is SIGKILL (design.md section 5)."""
TERMINATED: Sequence[tuple[int, float]] = ((signal.SIGTERM, 10.0),)
ISSUED = 2.0
"""Seconds from the signal to the write that puts things back."""
TREE_KILLED = 10.0
"""Seconds from the first signal to SIGKILL."""
UNCONFIRMED = 22
_PATIENCE = 60.0


@dataclass
class Run:
    """A command under way. Its output is read as it comes."""

    process: subprocess.Popen[str]
    signalled_at: float = 0.0
    """By `time.monotonic()`."""
    _out: list[str] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stream, lines in ((self.process.stdout, self._out), (self.process.stderr, self._errors)):
            if stream is not None:
                reader = threading.Thread(target=lines.extend, args=(stream,), daemon=True)
                reader.start()
                self._readers.append(reader)

    @property
    def said(self) -> str:
        """What it has said so far."""
        return "".join([*self._out, *self._errors])

    def until(self, come: Callable[[], bool], seconds: float = _PATIENCE) -> None:
        """Wait for something that can be seen from outside; the run must not end before."""
        deadline = time.monotonic() + seconds
        while not come():
            assert self.process.poll() is None, f"it ended before: {self.end(0)!r}"
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.02)

    def signal(self, signals: Sequence[tuple[int, float]] = CI) -> Ended:
        """Send them one after the other until it has ended, and SIGKILL if it has not."""
        self.signalled_at = time.monotonic()
        for number, seconds in signals:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        else:
            kill_tree(self.process.pid)
        return self.end(10.0)

    def end(self, seconds: float = _PATIENCE) -> Ended:
        """Wait for its end. `seconds` of the result are those since the first signal."""
        code = self.process.wait(seconds)
        took = time.monotonic() - self.signalled_at
        for reader in self._readers:
            reader.join(10)
        return Ended(code, "".join(self._out), "".join(self._errors), took)


def assert_interrupted(ended: Ended, code: int = 130) -> None:
    """It put things back, and ended before it would have been killed."""
    assert ended.code == code, ended
    assert ended.seconds < TREE_KILLED, ended


def assert_unconfirmed(ended: Ended) -> None:
    """It ended in time all the same, and said that nobody knows whether things were put back."""
    assert_interrupted(ended, UNCONFIRMED)
    assert ended.finished["cause"] == "unconfirmed", ended
