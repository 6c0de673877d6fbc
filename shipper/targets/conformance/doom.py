"""A run that dies at its k-th write, without leaving this process.

The death is a BaseException, and from then on every call that the run still makes (putting back, giving its lease
back) raises it again and does nothing: a dead process does nothing. Its lease stays taken, in the name of a process
that is not there.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from shipper.ledger.protocol import Lease, Ledger
from shipper.model import Entry, Fact, Holder, LedgerState, Recorded, Release
from shipper.model.context import Cancellation
from shipper.targets.conformance.rig import Kill
from shipper.targets.conformance.watched import WRITES

Result = TypeVar("Result")


class Killed(BaseException):
    """The run is dead."""


def _raise() -> None:
    raise Killed


class Doom:
    """Counts a run's writes, to the platform and to its ledger in one sequence, and ends it at one of them.

    `dies` is how; `counted` is told each write's name before it is made.
    """

    def __init__(
        self, kill: Kill | None, dies: Callable[[], None] = _raise, counted: Callable[[str], None] = lambda _: None
    ) -> None:
        self.kill = kill
        self.writes: list[str] = []
        self._dies, self._counted = dies, counted
        self.dead = False
        self._lock = threading.Lock()

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """For `watched`."""
        return self.write(name, call) if name in WRITES else self.read(call)

    def read(self, call: Callable[[], Result]) -> Result:
        """Not counted; the dead do not read either."""
        if self.dead:
            raise Killed
        return call()

    def write(self, name: str, call: Callable[[], Result]) -> Result:
        """Counted whether it succeeds or not: it may have changed something."""
        with self._lock:
            self.writes.append(name)
            self._counted(name)
            at = len(self.writes)
        self._die(Kill("before", at))
        result = self.read(call)
        self._die(Kill("after", at))
        return result

    def _die(self, now: Kill) -> None:
        if self.kill == now:
            self.dead = True
            self._dies()


class DoomedLedger:
    """A ledger whose writes are counted by a Doom. Implements shipper.ledger.protocol.Ledger."""

    def __init__(self, inner: Ledger, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    @property
    def url(self) -> str:
        """Where it is."""
        return self._inner.url

    @property
    def machine_only(self) -> bool:
        """Never: it covers everybody who writes here, and in CI a release would be refused otherwise."""
        return False

    def state(self) -> LedgerState:
        """A read."""
        return self._doom.read(self._inner.state)

    def append(self, decide: Callable[[LedgerState], Fact | None], *, run: str, epoch: int) -> Entry | None:
        """A write."""
        return self._doom.write("ledger entry", lambda: self._inner.append(decide, run=run, epoch=epoch))

    def release(self, number: int) -> Release | None:
        """A read."""
        return self._doom.read(lambda: self._inner.release(number))

    def history(self) -> Iterator[Recorded]:
        """A read."""
        return self._doom.read(self._inner.history)

    @contextlib.contextmanager
    def lease(
        self,
        holder: Holder,
        *,
        above: int = 0,
        wait: float = 0.0,
        seize: bool = False,
        cancel: Cancellation | None = None,
        on_wait: Callable[[Holder], None] | None = None,
    ) -> Iterator[Lease]:
        """Taking it is a write. A dead run's is not given back."""
        inner = self._inner.lease(holder, above=above, wait=wait, seize=seize, cancel=cancel, on_wait=on_wait)
        lease = self._doom.write("lease", inner.__enter__)
        try:
            yield lease
        finally:
            if self._doom.dead:
                _TAKEN.append(inner)
            else:
                inner.__exit__(None, None, None)

    def put_evidence(self, config_digest: str, evidence: Mapping[str, Any]) -> None:
        """A write."""
        self._doom.write("evidence", lambda: self._inner.put_evidence(config_digest, evidence))

    def evidence(self, config_digest: str) -> dict[str, Any] | None:
        """A read."""
        return self._doom.read(lambda: self._inner.evidence(config_digest))


_TAKEN: list[AbstractContextManager[Lease]] = []
"""Leases of dead runs."""


@atexit.register
def bury() -> None:
    """What dead runs held is given back: when a scenario is over nobody waits for it any more."""
    while _TAKEN:
        _TAKEN.pop().__exit__(None, None, None)
