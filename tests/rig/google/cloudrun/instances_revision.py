"""A revision that may have an instance: who waits for its start, who uses it, and since when nobody does."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from tests.rig.google.cloudrun.contract import OK, LogLine, Outcome, RunSpec
from tests.rig.google.cloudrun.instances_outcomes import cancelled
from tests.rig.google.cloudrun.instances_running import KEPT_LINES, Instance

QUEUE_SECONDS = 10.0  # https://cloud.google.com/run/docs/about-instance-autoscaling: "10 seconds, whichever is greater"
_LONGEST_PAUSE = 30.0


class NoInstance(Exception):
    """A request can go nowhere. `status` is what Cloud Run answers: 429 (all busy) or 503."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Revision:
    """`launch` makes an instance, hands it over through `adopt`, and says how the start ended."""

    def __init__(self, spec: RunSpec, launch: Callable[[Revision], Outcome]) -> None:
        self.spec = spec
        self.minimum = 0
        self.deleted = False
        self.ran = False  # whether a start has ever succeeded
        self._launch = launch
        self._lock = threading.Lock()
        self._instance: Instance | None = None
        self._starting: Future[Outcome] | None = None
        self._slots = threading.BoundedSemaphore(max(1, spec.concurrency))
        self._active = 0
        self._used = time.monotonic()
        self._failures = 0
        self._not_before = 0.0
        self._lines: deque[LogLine] = deque(maxlen=KEPT_LINES)

    def ensure(self) -> Outcome:
        """An instance that runs: the one there is, or a new one. Callers at the same time share one start."""
        with self._lock:
            if self.deleted:
                return cancelled(self.spec)
            if self._starting is None and self._runs():
                return OK
            mine = self._starting is None
            starting = self._starting = self._starting or Future()
        if mine:
            self._start(starting)
        return starting.result()

    def adopt(self, instance: Instance) -> None:
        """From here on `delete` ends it, also while it starts."""
        with self._lock:
            former, self._instance = self._instance, instance
            deleted = self.deleted
        self._bury(former)
        if deleted:
            instance.remove()

    def delete(self) -> None:
        """End it for good."""
        with self._lock:
            self.deleted = True
            instance = self._instance
        if instance is not None:
            instance.remove()

    @contextmanager
    def request(self) -> Iterator[tuple[str, int]]:
        """A place for one request. NoInstance when none is free in time, or none starts."""
        if not self._slots.acquire(timeout=QUEUE_SECONDS):
            raise NoInstance(429, "The request was aborted because there was no available instance.")
        try:
            with self._lock:
                self._active += 1
            yield self._address()
        finally:
            with self._lock:
                self._active -= 1
                self._used = time.monotonic()
            self._slots.release()

    def wants_restart(self, now: float) -> bool:
        """Whether it must run, does not, and has waited long enough since it last failed."""
        with self._lock:
            needed = self.minimum > 0 and not self.deleted and self._starting is None and not self._runs()
            return needed and now >= self._not_before

    def take_idle(self, before: float) -> Instance | None:
        """The instance, which is not used any more, when nobody has asked for it since `before`."""
        with self._lock:
            busy = self._active or self._starting is not None or self.minimum > 0 or self._used > before
            if busy or self._instance is None:
                return None
            instance, self._instance = self._instance, None
        self._lines.extend(instance.logs(KEPT_LINES))
        return instance

    def is_running(self) -> bool:
        """Whether an instance runs."""
        with self._lock:
            return self._runs()

    def logs(self, lines: int) -> tuple[LogLine, ...]:
        """The last lines that its containers wrote, oldest first."""
        with self._lock:
            instance, former = self._instance, tuple(self._lines)
        now = instance.logs(lines) if instance is not None else ()
        return (*former, *now)[-lines:] if lines > 0 else ()

    def _start(self, starting: Future[Outcome]) -> None:
        try:
            outcome = self._launch(self)
        except BaseException as error:
            self._settle(ok=False)
            starting.set_exception(error)
            raise
        self._settle(outcome.ok)
        starting.set_result(outcome)

    def _settle(self, ok: bool) -> None:
        with self._lock:
            self._starting = None
            self._used = time.monotonic()
            self.ran = self.ran or ok
            self._failures = 0 if ok else self._failures + 1
            self._not_before = self._used + min(_LONGEST_PAUSE, 2.0**self._failures / 2)

    def _address(self) -> tuple[str, int]:
        outcome = self.ensure()
        with self._lock:
            instance = self._instance
        if not outcome.ok or instance is None:
            raise NoInstance(503, outcome.message or "the instance is gone again")
        if not instance.ready:
            raise NoInstance(503, "the readiness probe does not pass")
        return instance.address

    def _bury(self, instance: Instance | None) -> None:
        if instance is not None:
            instance.remove()
            self._lines.extend(instance.logs(KEPT_LINES))

    def _runs(self) -> bool:
        return self._instance is not None and not self._instance.ended.is_set()
