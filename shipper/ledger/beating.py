"""The thread that renews a lease. It ends with its block, and never keeps the process alive."""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import Self

from shipper.errors import LedgerError
from shipper.ledger.tenure import Tenure
from shipper.model import Holder

GIVING_BACK = 10.0
"""Seconds for a request under way, and for a silent store to be given up (see object_store.py and patience.py)."""


class Beating:
    """Implements shipper.ledger.protocol.Lease: `check` never waits longer for the store than `timings.answer`.

    The thread that beats gives the lease back too: so no beat can follow, and undo it.
    """

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self._news = threading.Condition()
        self._asked = 0
        self._answered = 0
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="shipper-lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._news:
            self._ending = True
            self._news.notify_all()
        self._thread.join(timeout=GIVING_BACK)

    @property
    def epoch(self) -> int:
        """The fence."""
        return self._tenure.epoch

    @property
    def holder(self) -> Holder:
        """This run."""
        return self._tenure.holder

    def check(self) -> None:
        """See the protocol."""
        if not self._tenure.is_fresh():
            with self._news:
                self._asked += 1
                question = self._asked
                self._news.notify_all()
                self._news.wait_for(lambda: self._answered >= question, timeout=self._tenure.timings.answer)
        self._tenure.judge()

    def _run(self) -> None:
        due = self._tenure.clock.monotonic() + self._tenure.timings.beat  # taking the lease was a sign of life
        while not self._ending:
            question = self._asked
            if due <= self._tenure.clock.monotonic():
                due = self._beaten()
            with contextlib.suppress(LedgerError):  # the beat's age tells, see Tenure.judge
                self._tenure.look()
            with self._news:
                self._answered = question
                self._news.notify_all()
                pause = max(0.0, due - self._tenure.clock.monotonic())
                self._news.wait_for(lambda: self._ending or self._asked > self._answered, timeout=pause)
        self._tenure.end()

    def _beaten(self) -> float:
        """Beat, and say when the next one is due."""
        timings, began = self._tenure.timings, self._tenure.clock.monotonic()
        try:
            self._tenure.beat()
        except LedgerError:
            return self._tenure.clock.monotonic() + timings.again
        return began + timings.beat
