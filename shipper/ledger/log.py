"""The log: put-if-absent of entry N, the fold of what is there, and the way back from a number to its release."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from shipper.errors import LedgerError
from shipper.ledger.entries import entry_bytes, nonce_of, read_entry
from shipper.ledger.finding import last_of
from shipper.ledger.fold import fold
from shipper.ledger.history import History
from shipper.ledger.keys import Keys, evidence_key
from shipper.ledger.lease import Leases
from shipper.ledger.numbers import position_of
from shipper.ledger.patience import Patience, claim, insist, prove_conditional
from shipper.ledger.protocol import Lease
from shipper.ledger.snapshot import EVERY, Snapshot, read_snapshot
from shipper.ledger.store import Store
from shipper.ledger.tenure import Timings
from shipper.ledger.ticking import Ticking
from shipper.model import Entry, Fact, Holder, LedgerState, Recorded, Release, Started
from shipper.model.context import Cancellation, Clock
from shipper.model.json_text import parse_json

_NOTHING = Snapshot(LedgerState(), "")
_LOST = 1000
"""Times in a row that other writers may be faster before `append` gives up."""


class StoredLedger:
    """Implements shipper.ledger.protocol.Ledger on any Store. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
        timings: Timings | None = None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock or Ticking()
        self._patience = patience or Patience()
        self._lock = threading.RLock()
        self._newest = _NOTHING
        self._leases = Leases(store, keys, self._clock, self._patience, timings=timings)

    @property
    def url(self) -> str:
        """As it goes into release records."""
        return self._store.url

    @property
    def machine_only(self) -> bool:
        """Whether other machines see another ledger under this URL."""
        return self._store.machine_only

    def state(self) -> LedgerState:
        """The fold of all entries. Three requests the first time, then one while nobody else writes."""
        with self._lock:
            if self._newest is _NOTHING:
                self._newest = self._believed(self._get(self._keys.hint))
            self._catch_up()
            return self._newest.state

    def append(self, decide: Callable[[LedgerState], Fact | None], *, run: str, epoch: int) -> Entry | None:
        """See the protocol. Raises LedgerError for a number that is not above every one before."""
        with self._lock:
            for _ in range(_LOST):
                state = self.state()
                fact = decide(state)
                if fact is None:
                    return None
                entry = self._entry(state, fact, run, epoch)
                if self._claimed(entry):
                    self._newest = Snapshot(fold(state, entry), entry.nonce)
                    self._keep()
                    return entry
        raise LedgerError(f"others write to {self.url} faster than this run can", hint="try again")

    def release(self, number: int) -> Release | None:
        """See the protocol. A few requests at any age: numbers rise with positions."""
        state = self.state()
        known = next((line.position for line in state.releases if line.number == number), None)
        position = known or position_of(number, state, self._number_at)
        if position is None:
            return None
        fact = self._read(position, whole=True).fact
        return fact.release if isinstance(fact, Started) else None

    def history(self) -> Iterator[Recorded]:
        """See the protocol. The newest releases are in the state; older ones cost a request per entry."""
        return History(self.state(), self._read).newest_first()

    def lease(
        self,
        holder: Holder,
        *,
        above: int = 0,
        wait: float = 0.0,
        seize: bool = False,
        cancel: Cancellation | None = None,
        on_wait: Callable[[Holder], None] | None = None,
    ) -> AbstractContextManager[Lease]:
        """See the protocol, and shipper.ledger.lease."""
        return self._leases.held(holder, above=above, wait=wait, seize=seize, cancel=cancel, on_wait=on_wait)

    def put_evidence(self, config_digest: str, evidence: Mapping[str, Any]) -> None:
        """See the protocol. Several services may share an image, and so its evidence."""
        body = json.dumps(evidence, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        insist(lambda: self._store.create(evidence_key(config_digest), body), self._patience)

    def evidence(self, config_digest: str) -> dict[str, Any] | None:
        """See the protocol. Raises LedgerError for an object that is no evidence."""
        key = evidence_key(config_digest)
        body = insist(lambda: self._store.get(key, large=True), self._patience)
        if body is None:
            return None
        try:
            found = parse_json(body)
        except ValueError as error:
            found = str(error)
        if not isinstance(found, dict):
            raise LedgerError(f"{self.url}/{key} is not evidence", hint="remove this object: scanning makes it again")
        return found

    def _entry(self, state: LedgerState, fact: Fact, run: str, epoch: int) -> Entry:
        if isinstance(fact, Started) and fact.release.number <= state.highest:
            raise LedgerError(
                f"release number {fact.release.number} was used already: the highest is {state.highest}",
                hint="this is a mistake in the program; nothing was written",
            )
        nonce = secrets.token_hex(16)
        return Entry(position=state.position + 1, nonce=nonce, at=self._clock.now(), epoch=epoch, run=run, fact=fact)

    def _claimed(self, entry: Entry) -> bool:
        """Whether this entry is the log's, and not another writer's of the same position."""
        if entry.position == 1:
            prove_conditional(self._store, self._keys.proof, self._patience)
        key, body = self._keys.entry(entry.position), entry_bytes(entry)
        return claim(self._store, key, body, lambda there: nonce_of(there) == entry.nonce, self._patience) is None

    def _catch_up(self) -> None:
        """From the newest fold that we know to the newest entry; over a great distance with the help of snapshots."""
        known = self._newest.state.position
        last = last_of(lambda position: self._get(self._keys.entry(position)) is not None, known)
        if last - known > EVERY:
            self._newest = self._snapshot_before(last, known)
        for position in range(self._newest.state.position + 1, last + 1):
            entry = self._read(position)
            self._newest = Snapshot(fold(self._newest.state, entry), entry.nonce)

    def _snapshot_before(self, last: int, known: int) -> Snapshot:
        """The newest snapshot that can be believed, up to `last`; what we know when there is none above that."""
        newest, step = last // EVERY, 0
        while (position := (newest - step) * EVERY) > known:
            found = self._believed(self._get(self._keys.snapshot(position)))
            if found.state.position == position:
                return found
            step = 2 * step or 1
        return self._newest

    def _believed(self, body: bytes | None) -> Snapshot:
        """The snapshot, when its last entry is there and has its nonce."""
        found = read_snapshot(body)
        if found is None or found.state.position < 1:
            return _NOTHING
        there = self._get(self._keys.entry(found.state.position))
        return found if there is not None and nonce_of(there) == found.nonce else _NOTHING

    def _keep(self) -> None:
        """The newest fold for whoever opens the log next. One attempt: without it opening takes longer, that is all."""
        body, position = self._newest.to_bytes(), self._newest.state.position
        with contextlib.suppress(LedgerError):
            self._store.put(self._keys.hint, body)
        with contextlib.suppress(LedgerError):
            if position % EVERY == 0:
                self._store.create(self._keys.snapshot(position), body)

    def _number_at(self, position: int) -> int | None:
        fact = self._read(position).fact
        return fact.release.number if isinstance(fact, Started) else None

    def _read(self, position: int, *, whole: bool = False) -> Entry:
        key = self._keys.entry(position)
        name = f"{self.url}/{key}"
        body = self._get(key)
        if body is None:
            hint = "restore it from a backup, or use another ledger; the platform's own records still serve"
            raise LedgerError(f"{name} is gone", hint=hint)
        return read_entry(body, name, position, self._keys.service, whole=whole)

    def _get(self, key: str) -> bytes | None:
        return insist(lambda: self._store.get(key), self._patience)
