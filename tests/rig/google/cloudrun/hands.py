"""What tests do to the service: refuse, fail, delay, race, hold. Per project, so that tests can share one rig.

Used on both sides: api.py asks before and after it carries out a method; state.py asks for what is in its way
(`stuck`, `gpu_quota`). Set through control.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.rig.google.cloudrun.defaults import project_number
from tests.rig.google.cloudrun.errors import CODES, ApiError

# What a lost or late call looks like to the client, in the words of the front end servers.
_WORDS = {
    "UNAVAILABLE": "The service is currently unavailable.",
    "DEADLINE_EXCEEDED": "Deadline expired before operation could complete.",
    "INTERNAL": "Internal error encountered.",
    "RESOURCE_EXHAUSTED": "Quota exceeded for quota metric 'Write requests'.",
}


@dataclass
class Fault:
    """The next `times` calls of `method` ("*": any, "write": any write) are answered with `code`."""

    method: str
    code: str
    times: int
    after: bool
    message: str


@dataclass
class Edit:
    """Another writer, just before a write is carried out. `at` is the write (1: the next one), 0 every one.

    `traffic` None: only the etag changes. Otherwise revision (short) -> percent, empty: all of it to the latest.
    """

    at: int
    traffic: dict[str, int] | None
    seen: int = 0


@dataclass
class Hold:
    """The `at`-th write from now is held, before it is carried out or `after` it, until it is released."""

    at: int
    after: bool
    seen: int = 0
    write: Write | None = None
    waiting: bool = False
    released: bool = False
    carry: bool = True


@dataclass
class Write:
    """One write as it came: `code` is "" while it goes on, then OK or a canonical code's name."""

    number: int
    method: str
    resource: str
    principal: str
    mask: tuple[str, ...]
    etag: str
    at: float = field(default_factory=time.time)
    code: str = ""
    operation: str = ""


@dataclass
class _Project:
    denied: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    slow: dict[str, float] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    hold: Hold | None = None
    stuck: str = ""
    gpus: int | None = None
    tokens: bool = False
    calls: dict[str, int] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)


class Hands:
    """All hands, by project."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._projects: dict[str, _Project] = {}

    # Setting -------------------------------------------------------------------------------------------------------

    def deny(self, project: str, permission: str) -> None:
        with self._changed:
            self._of(project).denied.add(permission)

    def allow(self, project: str, permission: str) -> None:
        with self._changed:
            self._of(project).denied.discard(permission)

    def fail(
        self, project: str, method: str, code: str, times: int = 1, *, after: bool = False, message: str = ""
    ) -> None:
        if code not in CODES:
            raise ApiError("INVALID_ARGUMENT", f"'{code}' is not one of {', '.join(CODES)}")
        with self._changed:
            words = message or _WORDS.get(code, f"The rig was told to answer {code}.")
            self._of(project).faults.append(Fault(method, code, times, after, words))

    def slow(self, project: str, method: str, seconds: float) -> None:
        """Each call of a method ("*": any) takes so much longer; 0 ends it."""
        with self._changed:
            self._of(project).slow[method] = seconds

    def edit(self, project: str, at: int = 1, traffic: dict[str, int] | None = None) -> None:
        with self._changed:
            self._of(project).edits.append(Edit(at, traffic))

    def hold(self, project: str, at: int = 1, *, after: bool = False) -> None:
        with self._changed:
            self._of(project).hold = Hold(at, after)

    def wait_held(self, project: str, seconds: float) -> Write | None:
        """The write that is held; None when none came in that time."""
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                hold = self._of(project).hold
                if hold is not None and hold.waiting:
                    return hold.write
                if (left := until - time.monotonic()) <= 0:
                    return None
                self._changed.wait(left)

    def release(self, project: str, *, carry: bool = True) -> None:
        """Let the held write go on. Without `carry`, one that was held before is never carried out."""
        with self._changed:
            hold = self._of(project).hold
            if hold is not None:
                hold.carry, hold.released = carry, True
                self._of(project).hold = None
                self._changed.notify_all()

    def set_stuck(self, project: str, what: str) -> None:
        if what not in ("", "operation", "reconcile"):
            raise ApiError("INVALID_ARGUMENT", f"'{what}' is not operation, reconcile or nothing")
        with self._changed:
            self._of(project).stuck = what

    def set_gpu_quota(self, project: str, instances: int | None) -> None:
        with self._changed:
            self._of(project).gpus = instances

    def need_tokens(self, project: str, needed: bool = True) -> None:
        """Calls without a token are UNAUTHENTICATED, as in the real service."""
        with self._changed:
            self._of(project).tokens = needed

    def forget(self, project: str) -> None:
        """Everything about a project; a held write is let go without being carried out."""
        self.release(project, carry=False)
        with self._changed:
            self._projects.pop(project, None)

    # Asking --------------------------------------------------------------------------------------------------------

    def stuck(self, project: str) -> str:
        with self._changed:
            return self._of(project).stuck

    def gpu_quota(self, project: str) -> int | None:
        with self._changed:
            return self._of(project).gpus

    def needs_tokens(self, project: str) -> bool:
        """`project` is an id, or a number: some APIs take both."""
        with self._changed:
            needing = [name for name, kept in self._projects.items() if kept.tokens]
        return project in needing or project in map(project_number, needing)

    def denied(self, project: str, permission: str) -> bool:
        with self._changed:
            return permission in self._of(project).denied

    def writes(self, project: str) -> list[dict[str, Any]]:
        with self._changed:
            return [asdict(write) for write in self._of(project).writes]

    def calls(self, project: str) -> dict[str, int]:
        """How often each method was called, reads included."""
        with self._changed:
            return dict(self._of(project).calls)

    # While a method is carried out ---------------------------------------------------------------------------------

    def enter(self, project: str, method: str, write: bool) -> None:
        """Count, delay, and raise a fault that comes before."""
        with self._changed:
            kept = self._of(project)
            kept.calls[method] = kept.calls.get(method, 0) + 1
            seconds = kept.slow.get(method, kept.slow.get("*", 0.0))
        time.sleep(seconds)
        self._raise_fault(project, method, write, after=False)

    def leave(self, project: str, method: str, write: bool) -> None:
        """Raise a fault that comes after the method was carried out."""
        self._raise_fault(project, method, write, after=True)

    def begin_write(self, project: str, made: Callable[[int], Write]) -> Write:
        """Log a write; hold it when it is the one to be held. Raises when it is not to be carried out any more."""
        with self._changed:
            kept = self._of(project)
            write = made(len(kept.writes) + 1)
            kept.writes.append(write)
            if kept.hold is not None:
                kept.hold.seen += 1
                if kept.hold.seen == kept.hold.at:
                    kept.hold.write = write
        if not self._wait_while_held(project, write, after=False):
            self.end_write(write, "CANCELLED")
            raise ApiError("CANCELLED", "The rig dropped this write before it was carried out.")
        return write

    def end_write(self, write: Write, code: str, operation: str = "") -> None:
        with self._changed:
            write.code, write.operation = code, operation

    def hold_after(self, project: str, write: Write) -> None:
        self._wait_while_held(project, write, after=True)

    def edits_before(self, project: str) -> list[Edit]:
        """The edits that are due before this write."""
        with self._changed:
            kept = self._of(project)
            for edit in kept.edits:
                edit.seen += 1
            due = [edit for edit in kept.edits if edit.at in (0, edit.seen)]
            kept.edits = [edit for edit in kept.edits if edit.at == 0 or edit.seen < edit.at]
            return due

    def _wait_while_held(self, project: str, write: Write, *, after: bool) -> bool:
        with self._changed:
            hold = self._of(project).hold
            if hold is None or hold.write is not write or hold.after != after:
                return True
            hold.waiting = True
            self._changed.notify_all()
            while not hold.released:
                self._changed.wait()
            return hold.carry

    def _raise_fault(self, project: str, method: str, write: bool, *, after: bool) -> None:
        with self._changed:
            faults = self._of(project).faults
            for fault in faults:
                chosen = fault.method in ("*", method) or (write and fault.method == "write")
                if chosen and fault.after == after:
                    fault.times -= 1
                    if fault.times <= 0:
                        faults.remove(fault)
                    raise ApiError(fault.code, fault.message)

    def _of(self, project: str) -> _Project:
        return self._projects.setdefault(project, _Project())
