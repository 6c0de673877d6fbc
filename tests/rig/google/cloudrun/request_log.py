"""The line that Cloud Run writes for each request, beside what the container writes: run/docs/logging#request-logs.

The router writes, Logging's `entries:list` reads (log_entries.py). A line is there when its answer is over, not before.
What it gets wrong: requests that reached no revision (404, 403, 413 of the front end) and answers that broke off in
their middle have no line; sizes are not counted. Not verified: the severity of a line (INFO, WARNING from 400, ERROR
from 500).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

KEPT = 1000  # lines of each revision


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. `at` is seconds since the epoch, at its arrival; `seconds` until the answer's end."""

    at: float
    seconds: float
    method: str
    url: str
    status: int
    user_agent: str
    caller: str


class RequestLog:
    """By the full name of the revision that the request went to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, deque[Exchange]] = {}

    def add(self, revision: str, exchange: Exchange) -> None:
        with self._lock:
            self._all.setdefault(revision, deque(maxlen=KEPT)).append(exchange)

    def of(self, revision: str) -> Sequence[Exchange]:
        """In the order in which they were answered."""
        with self._lock:
            return tuple(self._all.get(revision, ()))

    def wipe(self, project: str) -> None:
        with self._lock:
            self._all = {name: kept for name, kept in self._all.items() if name.split("/")[1] != project}
