"""Run one child process to its end: own session, allowed environment, lines as they come, bounded memory."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shipper.errors import Interrupted
from shipper.processes.environment import child_environment
from shipper.processes.errors import ProgramMissing, TimedOut
from shipper.processes.group import GRACE, Group
from shipper.processes.tail import Tail

OnLine = Callable[[str, str], None]
"""Called as (stream, line) with stream "stdout" or "stderr", in the caller's own thread."""

_CHUNK = 1 << 16
_LINGER = 0.5
"""Seconds that we read on after the child ended: a daemon that it left behind may hold the pipes open for ever."""


class Cancellation(Protocol):
    """The part of shipper.model.context.Cancellation that is needed here."""

    @property
    def cancelled(self) -> bool:
        """True from the moment of cancellation on."""

    def check(self) -> None:
        """Raise the reason when cancelled."""

    def on_cancel(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `callback` on cancellation while the block runs; at once if it was already."""


@dataclass(frozen=True)
class Finished:
    """How a child ended. `stdout` and `stderr` hold the last lines; `dropped` counts earlier lines of `stdout`."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    dropped: int = 0

    @property
    def ok(self) -> bool:
        """Status 0."""
        return self.returncode == 0


def run(
    args: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: bytes | None = None,  # noqa: A002 - the standard library's own word
    on_line: OnLine | None = None,
    timeout: float | None = None,
    cancel: Cancellation | None = None,
    keep: int = 2000,
) -> Finished:
    """Run `args` without a shell, wait for it, and return how it ended; a status other than 0 raises nothing.

    `env` comes on top of the allow-list (shipper.processes.environment). `timeout` is in seconds. At most `keep`
    lines of each stream are kept. On cancellation and time-out the whole group gets SIGTERM, then SIGKILL 2 s later.
    Raises ProgramMissing, TimedOut, and on cancellation what `cancel.check()` raises.
    """
    if cancel is not None:
        cancel.check()
    started = time.monotonic()
    group = start(args, env=env, cwd=cwd, stdin=input is not None)
    conversation = _Conversation(group, input or b"", on_line, keep)
    with ExitStack() as cleanup:
        cleanup.callback(conversation.close)
        if cancel is not None:
            cleanup.enter_context(cancel.on_cancel(conversation.interrupt))
        in_time = conversation.hold(None if timeout is None else started + timeout)
    seconds = time.monotonic() - started
    if conversation.interrupted and cancel is not None:
        cancel.check()
        raise Interrupted(f"{program_of(args)} was stopped")
    if not in_time:
        raise _timed_out(args, timeout or 0.0, conversation)
    return conversation.finished(seconds)


def start(
    args: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bool = False,
    pass_fds: Sequence[int] = (),
    channel: int | None = None,
    errors: int | None = None,
) -> Group:
    """Start `args` in a session of its own with both outputs on pipes. Raises ProgramMissing.

    Instead of pipes: `channel`, a descriptor that is its standard input and output; `errors`, its standard error.
    """
    command = [str(arg) for arg in args]
    try:
        child = subprocess.Popen(
            command,
            stdin=channel if channel is not None else subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=channel if channel is not None else subprocess.PIPE,
            stderr=errors if errors is not None else subprocess.PIPE,
            env=child_environment(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
            bufsize=0,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if cwd is not None and not cwd.is_dir():
            raise ProgramMissing(f"{command[0]} cannot run in {cwd}: no such directory") from error
        raise ProgramMissing(
            f"{command[0]} cannot be run: {(error.strerror or 'not found').lower()}",
            hint=f"install {Path(command[0]).name} or put it on PATH",
        ) from error
    return Group(child)


def program_of(args: Sequence[str]) -> str:
    """The program and its sub-commands, without anything that could be a value: `docker buildx build`."""
    words = [Path(str(args[0])).name]
    for word in args[1:4]:
        if not str(word).replace("-", "").isalpha() or str(word).startswith("-"):
            break
        words.append(str(word))
    return " ".join(words[:3])


class _Conversation:
    """Feeds a child and reads it, in the caller's thread; only `interrupt` comes from another."""

    def __init__(self, group: Group, given: bytes, on_line: OnLine | None, keep: int) -> None:
        self._group = group
        self._given = memoryview(given)
        self._on_line = on_line
        self._selector = selectors.DefaultSelector()
        self._tails = {"stdout": Tail(keep), "stderr": Tail(keep)}
        self._wake_read, self._wake_write = os.pipe()
        self._end_fd = _open_pidfd(group.child.pid)
        self.interrupted = False
        self._kill_at: float | None = None
        self._register()

    def interrupt(self) -> None:
        """End the group now; called from the cancelling thread."""
        self.interrupted = True
        self._group.signal(signal.SIGTERM)
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"!")

    def hold(self, deadline: float | None) -> bool:
        """Until the child has ended and its pipes are read. False when the deadline passed first."""
        in_time = True
        leave_at: float | None = None
        while self._open_pipes() or not self._group.has_exited():
            now = time.monotonic()
            if leave_at is None and self._group.has_exited():
                leave_at = now + _LINGER
            if leave_at is not None and now >= leave_at:
                break
            if in_time and deadline is not None and now >= deadline and leave_at is None:
                in_time = False
                self._group.signal(signal.SIGTERM)
            self._kill_when_due(now, ending=self.interrupted or not in_time)
            self._turn(now, deadline if in_time else None, leave_at)
        for stream in self._tails:
            self._take(stream, b"", final=True)
        return in_time

    def finished(self, seconds: float) -> Finished:
        """After `close`."""
        out, err = self._tails["stdout"], self._tails["stderr"]
        return Finished(self._group.child.returncode, out.text(), err.text(), seconds, out.dropped)

    def last_lines(self, count: int = 40) -> list[str]:
        """The last lines of standard error, or of standard output when there are none."""
        text = self._tails["stderr"].text() or self._tails["stdout"].text()
        return text.splitlines()[-count:]

    def close(self) -> None:
        """Nothing of the child is left after this."""
        if self._group.has_exited():
            self._group.reap()
        else:
            self._group.end()
        self._selector.close()
        for pipe in (self._group.child.stdin, self._group.child.stdout, self._group.child.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        for fd in (self._wake_read, self._wake_write, self._end_fd):
            if fd is not None:
                os.close(fd)
        self._wake_write = -1

    def _register(self) -> None:
        child = self._group.child
        for stream, pipe in (("stdout", child.stdout), ("stderr", child.stderr)):
            if pipe is not None:
                self._selector.register(pipe, selectors.EVENT_READ, stream)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            self._selector.register(child.stdin, selectors.EVENT_WRITE, "stdin")
        self._selector.register(self._wake_read, selectors.EVENT_READ, "wake")
        if self._end_fd is not None:
            self._selector.register(self._end_fd, selectors.EVENT_READ, "end")

    def _open_pipes(self) -> bool:
        return any(key.data in self._tails for key in self._selector.get_map().values())

    def _kill_when_due(self, now: float, *, ending: bool) -> None:
        if not ending:
            return
        if self._kill_at is None:
            self._kill_at = now + GRACE
        elif now >= self._kill_at:
            self._group.signal(signal.SIGKILL)

    def _turn(self, now: float, deadline: float | None, leave_at: float | None) -> None:
        moments = [moment for moment in (deadline, leave_at, self._kill_at) if moment is not None]
        rest = max(0.0, min(moments) - now) if moments else None
        if self._end_fd is None or (rest is not None and rest == 0.0):
            rest = min(0.05, rest or 0.05)
        for key, _ in self._selector.select(rest):
            self._react(key)

    def _react(self, key: selectors.SelectorKey) -> None:
        if key.data == "stdin":
            self._feed()
        elif key.data in self._tails:
            chunk = os.read(key.fd, _CHUNK)
            if chunk:
                self._take(key.data, chunk)
            else:
                self._selector.unregister(key.fileobj)
        else:
            self._selector.unregister(key.fileobj)

    def _feed(self) -> None:
        pipe = self._group.child.stdin
        assert pipe is not None
        try:
            self._given = self._given[os.write(pipe.fileno(), self._given[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._given = self._given[:0]
        if not self._given:
            self._selector.unregister(pipe)
            pipe.close()

    def _take(self, stream: str, chunk: bytes, *, final: bool = False) -> None:
        for line in self._tails[stream].feed(chunk, final=final):
            if self._on_line is not None:
                self._on_line(stream, line)


def _open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the child ends; None where the system has none (we poll then)."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _timed_out(args: Sequence[str], timeout: float, conversation: _Conversation) -> TimedOut:
    return TimedOut(f"{program_of(args)} did not end within {timeout:g} s", details=conversation.last_lines())
