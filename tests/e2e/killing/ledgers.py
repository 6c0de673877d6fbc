"""A ledger on each kind of store, and what is in it, read past the command."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shipper.ledger.opening import open_ledger, open_store
from shipper.model import Recorded
from tests.e2e.killing.tiny_host import SERVICE, TinyHost
from tests.rig import stores
from tests.rig.killing import Write
from tests.rig.stores import RunningStore

ENTRY = re.compile(r"/entries/0*(\d+)\.json$")
LEASE = re.compile(r"/leases/0*(\d+)\.json$")


@dataclass(frozen=True)
class LedgerPlace:
    """Where a ledger is. `store` is its server; None for a directory."""

    url: str
    store: RunningStore | None = None

    @property
    def address(self) -> str | None:
        """Of the server; None for a directory."""
        return self.store.endpoint if self.store else None

    def variables(self, address: str | None = None) -> dict[str, str]:
        """What leads a command there, by another address (a proxy's)."""
        store = self.store.through(address) if self.store and address else self.store
        return {"SHIPPER_LEDGER": self.url, **(store.environ if store else {})}

    def history(self, newest: int | None = None) -> list[Recorded]:
        """Every release or so many, newest first, read past the proxies."""
        opened = open_ledger(self.url, service=SERVICE, environment="dev", target="local", environ=self._environ())
        return list(itertools.islice(opened.history(), newest))

    def read(self, path: str) -> bytes | None:
        """One object, by its path in the store or the end of it from the service's name on."""
        key = path[path.index(f"{SERVICE}/dev/local/") :]
        return open_store(self.url, self._environ()).get(key)

    def positions(self, of: re.Pattern[str] = ENTRY) -> list[int]:
        """The entries that are there, one by one from the first until one is missing."""
        folder = "entries" if of is ENTRY else "leases"
        found: list[int] = []
        while self.read(f"{SERVICE}/dev/local/{folder}/{len(found) + 1:012d}.json") is not None:
            found.append(len(found) + 1)
        return found

    def _environ(self) -> dict[str, str]:
        return {**os.environ, **self.variables()}


def prefixes(ledger: LedgerPlace) -> Iterator[LedgerPlace]:
    """One empty ledger after the other, in the same store."""
    for number in itertools.count(1):
        yield replace(ledger, url=f"{ledger.url}/{number}")


def violations(ledger: LedgerPlace, places: Sequence[TinyHost]) -> list[str]:
    """What must never be: an entry lost or changed, a number used twice, a lease with two holders."""
    numbers = Counter(recorded.number for recorded in ledger.history())
    found = [f"number {number} was used {times} times" for number, times in numbers.items() if times > 1]
    entries = ledger.positions()
    created: Counter[str] = Counter()
    for write in _creations(places):
        created[write.path] += 1
        if ledger.read(write.path) != write.content:
            found.append(f"{write.name} is not what was written")
        if (position := ENTRY.search(write.path)) and int(position[1]) not in entries:
            found.append(f"before {write.name} there is a gap: entries end with {entries[-1:]}")
    return found + [f"{path} was created {times} times" for path, times in created.items() if times > 1]


def _creations(places: Sequence[TinyHost]) -> Iterator[Write]:
    """Entries and leases that the store said it had created."""
    for place in places:
        for run in place.points.rounds:
            yield from (write for write in run.writes if write.done and (_is(ENTRY, write) or _is(LEASE, write)))


def _is(pattern: re.Pattern[str], write: Write) -> bool:
    return write.to == "store" and bool(pattern.search(write.path))


@contextmanager
def file_ledger(folder: Path) -> Iterator[LedgerPlace]:
    """A directory that several homes share."""
    yield LedgerPlace((folder / "ledger").as_uri())


@contextmanager
def s3_ledger(folder: Path) -> Iterator[LedgerPlace]:
    """A bucket of an S3-compatible server."""
    with stores.s3() as store:
        yield LedgerPlace(store.url, store)


@contextmanager
def gcs_ledger(folder: Path) -> Iterator[LedgerPlace]:
    """A bucket of the stand-in for Google's storage."""
    with stores.gcs() as store:
        yield LedgerPlace(store.url, store)
