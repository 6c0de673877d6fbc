"""What the holder of a lease knows: when it was last seen alive by others, and whether somebody took over."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pydantic import Field

from shipper.errors import LedgerError, Overtaken
from shipper.ledger.keys import Keys
from shipper.ledger.patience import Patience, insist
from shipper.ledger.store import Store
from shipper.model import Holder, Noun
from shipper.model.context import Clock
from shipper.model.json_text import parse_json


@dataclass(frozen=True)
class Timings:
    """Seconds. design.md section 5: a beat every 10 s, dead after 30 s without one."""

    beat: float = 10.0
    again: float = 1.0
    """After a beat that could not be written."""
    dead_after: float = 30.0
    trust: float = 25.0
    """So long a holder believes in its own last beat: less than `dead_after`, because a write takes time as well."""
    fresh: float = 1.0
    """So old may be what is known about a successor."""
    answer: float = 1.0
    """So long `check` waits for the store before it goes by what is known."""
    poll: float = 1.0
    """Between two looks of a challenger."""


class Taken(Noun):
    """The N-th lease: written once. Its number leads to the next one, its epoch fences the platform."""

    schema_number: int = Field(default=1, ge=1, le=1)
    number: int = Field(ge=1)
    epoch: int = Field(ge=1)
    nonce: str
    holder: Holder


class Tenure:
    """Implements shipper.ledger.protocol.Lease, without a thread: `look` and `beat` ask the store when called."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        taken: Taken,
        clock: Clock,
        timings: Timings,
        patience: Patience,
        read: Callable[[int], Taken | None],
        since: float,
    ) -> None:
        """`since`: by `clock`, the moment before the lease was asked for. Others count from when they could see it."""
        self.timings = timings
        self.clock = clock
        self._store = store
        self._keys = keys
        self._taken = taken
        self._patience = patience
        self._read = read
        self._lock = threading.Lock()
        self._count = 0
        self._beaten = self._looked = since
        self._successor: Taken | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    @property
    def epoch(self) -> int:
        """The fence."""
        return self._taken.epoch

    @property
    def holder(self) -> Holder:
        """This run."""
        return self._taken.holder

    def check(self) -> None:
        """See the protocol."""
        if not self.is_fresh():
            with contextlib.suppress(LedgerError):  # the beat's age decides
                self.look()
        self.judge()

    def is_fresh(self) -> bool:
        """Whether what is known about a successor is young enough."""
        return self._successor is not None or self.clock.monotonic() - self._looked < self.timings.fresh

    def judge(self) -> None:
        """Raise Overtaken by what is known now. Asks nobody."""
        if self._successor is not None:
            raise _overtaken(self._successor)
        silent = self.clock.monotonic() - self._beaten
        if silent >= self.timings.trust:
            raise Overtaken(
                f"the lease could not be renewed for {silent:.0f} s: another run may have taken over",
                hint="`shipper status` shows what serves; run the command again when the ledger answers",
            )

    def look(self) -> None:
        """Ask whether there is a later lease. Raises LedgerError."""
        began = self.clock.monotonic()
        successor = self._read(self._taken.number + 1)
        with self._lock:
            self._looked = began
            self._successor = self._successor or successor

    def beat(self) -> None:
        """Show that we live. Counts from the moment before the request: a challenger may see it at once."""
        began = self.clock.monotonic()
        with self._lock:
            self._count += 1
            body = _beat(self._count, released=False)
        self._store.put(self._keys.beat(self._taken.number), body)
        with self._lock:
            self._beaten = began

    def end(self) -> None:
        """Give it back. If that cannot be written, the next run waits until the lease counts as dead."""
        body = _beat(self._count, released=True)
        with contextlib.suppress(LedgerError):
            insist(lambda: self._store.put(self._keys.beat(self._taken.number), body), self._patience)


def is_released(beat: bytes | None) -> bool:
    """Whether this beat says that its lease was given back."""
    try:
        value = parse_json(beat or b"null")
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("released") is True


def _beat(count: int, *, released: bool) -> bytes:
    return json.dumps({"count": count, "released": released}).encode() + b"\n"


def _overtaken(successor: Taken) -> Overtaken:
    by = successor.holder
    return Overtaken(
        f"{by.who} took the lease over for a {by.purpose} (run {by.run}): this run writes nothing any more",
        hint="`shipper status` shows what serves",
    )
