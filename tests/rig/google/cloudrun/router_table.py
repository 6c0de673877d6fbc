"""Which revision takes the next request (pure): smooth weighted round-robin, as nginx does it.

In any window of 100 requests each revision gets exactly its percent, spread as evenly as can be. The real service
draws at random; exact shares make tests exact.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass


class Turns:
    """Takes turns by weight; those of weight 0 never have one."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._owed = dict.fromkeys(self._weights, 0)
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Whether anybody has a turn."""
        return bool(self._weights)

    def next(self) -> str:
        """Whose turn it is; ValueError when nobody has any."""
        with self._lock:
            for name, weight in self._weights.items():
                self._owed[name] += weight
            chosen = max(self._owed, key=lambda name: self._owed[name])
            self._owed[chosen] -= sum(self._weights.values())
            return chosen


@dataclass(frozen=True)
class Table:
    """How one service is routed; replaced as a whole."""

    turns: Turns
    tags: Mapping[str, str]
    invoker_check: bool
    internal: bool
    """Only callers inside the project's network reach it: nobody on this machine is."""

    def is_routed(self, tag: str | None) -> bool:
        """Whether a request to the service's address (None), or to a tag's, goes anywhere."""
        return bool(self.turns) if tag is None else tag in self.tags

    def choose(self, tag: str | None) -> str:
        """The revision for a request to an address that is routed."""
        return self.turns.next() if tag is None else self.tags[tag]


NOWHERE = Table(Turns({}), {}, invoker_check=False, internal=False)
