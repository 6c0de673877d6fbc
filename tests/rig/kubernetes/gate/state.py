"""What was asked through the gate, and what is to go wrong, by namespace. All of it lives in one event loop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

from tests.rig.kubernetes.gate.requests import Request

T = TypeVar("T")
How = int | Literal["cut", "cut-after", "slow"]
When = Literal["before", "after"]


@dataclass
class Write:
    """One write as it came. `status`: None until it is answered; `ended`: how, when not by an answer."""

    number: int
    request: Request
    at: float = field(default_factory=time.time)
    status: int | None = None
    ended: str = ""
    """ "refused" or "cut" (by a fault), "gone" (its client went), "dropped" (by a release without carry)."""

    def told(self) -> dict[str, Any]:
        """For hands.py."""
        told = asdict(self)
        return {**told.pop("request"), **told}


@dataclass
class Fault:
    """The next `times` requests that match end `how`; of "slow" after `seconds`."""

    how: How
    verb: str
    resource: str
    name: str
    times: int
    seconds: float
    after: bool


@dataclass
class Hold:
    """The `at`-th write that matches, counted from now, waits before it is passed on or after it was answered."""

    at: int
    when: When
    verb: str
    resource: str
    name: str
    seen: int = 0
    write: Write | None = None
    carry: bool = True
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Expiry:
    """How open watches end: with an event that says 410, or without a word."""

    oldest: int
    """Watches from an older resourceVersion are expired; 0: the connection ends."""


@dataclass
class Space:
    """One namespace; "" for what has none."""

    writes: list[Write] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    hold: Hold | None = None
    seconds: float = 0.0
    """Every request waits this long."""
    oldest: int = 0
    watches: set[asyncio.Future[Expiry]] = field(default_factory=set)

    def count(self, request: Request) -> Write | None:
        """Remember a request; a write gets its number."""
        dry = " (dry run)" if request.dry_run else ""
        self.calls[f"{request.verb} {request.qualified}{dry}"] += 1
        if not request.is_write:
            return None
        self.writes.append(Write(len(self.writes) + 1, request))
        return self.writes[-1]

    def fault(self, request: Request) -> Fault | None:
        """The first that matches, which counts as used."""
        for fault in self.faults:
            if fault.times > 0 and request.matches(fault.verb, fault.resource, fault.name):
                fault.times -= 1
                return fault
        return None

    def held(self, write: Write, when: When) -> Hold | None:
        """The hold that this write runs into here."""
        hold = self.hold
        if hold is None or hold.released.is_set() or not write.request.matches(hold.verb, hold.resource, hold.name):
            return None
        if when == "before":
            hold.seen += 1
            hold.write = write if hold.seen == hold.at else hold.write
        return hold if hold.write is write and hold.when == when else None

    def put_hold(self, hold: Hold) -> None:
        self.release(carry=True)
        self.hold = hold

    def release(self, *, carry: bool) -> None:
        if self.hold is not None:
            self.hold.carry = carry
            self.hold.released.set()
            self.hold.arrived.set()  # nobody need wait for it any more
            self.hold = None

    def end_watches(self, expiry: Expiry) -> int:
        """How many were open."""
        self.oldest = max(self.oldest, expiry.oldest)
        ended = [watch for watch in self.watches if not watch.done()]
        for watch in ended:
            watch.set_result(expiry)
        return len(ended)


@dataclass
class State:
    """All namespaces."""

    spaces: dict[str, Space] = field(default_factory=dict)

    def space(self, namespace: str) -> Space:
        return self.spaces.setdefault(namespace, Space())

    def forget(self, namespace: str) -> None:
        """Writes, calls and hands of a namespace; what is held goes on."""
        if (space := self.spaces.pop(namespace, None)) is not None:
            space.release(carry=True)


class ClientGone(ConnectionError):
    """The client ended its connection while its request waited."""


async def unless_gone(gone: asyncio.Event, doing: Awaitable[T]) -> T:
    """Await it, but give up with ClientGone when the other side has ended first."""
    work = asyncio.ensure_future(doing)
    ended = asyncio.create_task(gone.wait())
    try:
        await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientGone
        return work.result()
    finally:
        for task in (work, ended):
            task.cancel()
        await asyncio.gather(work, ended, return_exceptions=True)
