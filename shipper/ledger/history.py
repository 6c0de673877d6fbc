"""Every release, newest first: from the state as far as that goes, then entry by entry, backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from shipper.ledger.fold import NEWEST, died, finished, recorded, serves_after
from shipper.model import Entry, Finished, LedgerState, Recorded, Removed, Started
from shipper.model.ledger import Adopted

_AT_ONCE = 16


class History:
    """One reading of the history as it was at `state`. What is written meanwhile is not in it."""

    def __init__(self, state: LedgerState, read: Callable[[int], Entry]) -> None:
        self._state = state
        self._read = read

    def newest_first(self) -> Iterator[Recorded]:
        """Read as it is asked for."""
        newest = self._state.releases[-NEWEST:]
        yield from reversed(newest)
        if newest and newest[0].position > 1:
            lines = backwards(self._entries())
            yield from (line for line in lines if line.position < newest[0].position)

    def _entries(self) -> Iterator[Entry]:
        """All entries, newest first, a few at a time: a store far away takes as long for one as for sixteen."""
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for end in range(self._state.position, 0, -_AT_ONCE):
                yield from pool.map(self._read, range(end, max(0, end - _AT_ONCE), -1))


def backwards(entries: Iterator[Entry]) -> Iterator[Recorded]:
    """The lines of history out of the entries, newest first: the same lines that `fold` makes going forward.

    Everything about a release is said by its own entry or by later ones, so that a line is complete when its own
    entry is met.
    """
    ends: dict[int, tuple[Entry, Finished]] = {}
    until: dict[int, float | None] = {}
    handed_over: float | None = None
    begun: list[Entry] = []
    for entry in entries:
        match entry.fact:
            case Finished() as fact:
                ends.setdefault(fact.number, (entry, fact))
                serving = serves_after(fact)
                if serving is not None:
                    until.setdefault(serving, handed_over)
                    handed_over = entry.at
            case Removed():
                handed_over = entry.at
            case Started() as fact:
                line = recorded(entry, fact)
                end = ends.pop(line.number, None)
                line = finished(line, *end) if end else line
                if any(died(line, later) for later in begun):
                    line = line.model_copy(update={"outcome": "abandoned"})
                begun = _matter(begun, entry)
                yield line.model_copy(update={"until": until.pop(line.number, None)})
            case Adopted() | _:
                pass


def _matter(begun: list[Entry], entry: Entry) -> list[Entry]:
    """Of the later beginnings those with the highest epochs of two runs: enough to tell whether an earlier one died."""
    best: dict[str, Entry] = {}
    for each in (*begun, entry):
        if each.run not in best or best[each.run].epoch < each.epoch:
            best[each.run] = each
    return sorted(best.values(), key=lambda each: each.epoch)[-2:]
