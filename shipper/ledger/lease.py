"""The lease: who may write now. Leases are counted; the N-th is taken by put-if-absent, under a higher epoch.

A holder overwrites its beat every 10 s. A challenger believes no clock but its own: it takes over what has not
changed for 30 s, at once what was given back, and at once what a dead process of this boot held.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from shipper.errors import LedgerError, LockedError
from shipper.ledger.beating import Beating
from shipper.ledger.finding import last_of
from shipper.ledger.holders import Life, life_of
from shipper.ledger.keys import Keys
from shipper.ledger.patience import Patience, claim, insist, prove_conditional
from shipper.ledger.protocol import Lease
from shipper.ledger.store import Store
from shipper.ledger.tenure import Taken, Tenure, Timings, is_released
from shipper.model import Holder
from shipper.model.context import Cancellation, Clock
from shipper.model.json_text import parse_json


@dataclass(frozen=True)
class _Watch:
    """What a challenger saw of a lease: its beat, since when by its own clock, and whether it saw a sign of life."""

    number: int
    beat: bytes | None
    since: float
    alive: bool


class Leases:
    """The leases of one log."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        clock: Clock,
        patience: Patience,
        *,
        timings: Timings | None = None,
        sleep: Callable[[float], None] = time.sleep,
        life: Callable[[Holder], Life] = life_of,
        background: bool = True,
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._patience = patience
        self._timings = timings or Timings()
        self._sleep = sleep
        self._life = life
        self._background = background

    @contextlib.contextmanager
    def held(
        self,
        holder: Holder,
        *,
        above: int = 0,
        wait: float = 0.0,
        seize: bool = False,
        cancel: Cancellation | None = None,
        on_wait: Callable[[Holder], None] | None = None,
    ) -> Iterator[Lease]:
        """See shipper.ledger.protocol.Ledger.lease. Refused is only who was seen alive: that takes up to a beat."""
        tenure = self._take(holder, above, wait, seize, cancel, on_wait)
        with Beating(tenure) if self._background else tenure as lease:
            yield lease

    def newest(self, known: int = 0) -> Taken | None:
        """The last lease that was taken, whether or not it was given back; None when there was none."""
        known = known or self._hinted()
        last = last_of(lambda number: self._get(self._keys.lease(number)) is not None, known)
        return self.read(last) if last else None

    def read(self, number: int) -> Taken | None:
        """The N-th lease; None when nobody took it yet. Raises LedgerError for what is no lease."""
        return self._parsed(number, self._get(self._keys.lease(number)))

    def _take(
        self,
        holder: Holder,
        above: int,
        wait: float,
        seize: bool,
        cancel: Cancellation | None,
        on_wait: Callable[[Holder], None] | None,
    ) -> Tenure:
        until = self._clock.monotonic() + wait
        watch: _Watch | None = None
        known = 0
        while True:
            last = self.newest(known)
            known = last.number if last else 0
            watch = self._watched(last, watch)
            if last is None or watch is None or self._is_free(last, watch, seize):
                tenure = self._claimed(last, holder, above)
                if tenure is not None:
                    return tenure
                watch = _Watch(known, None, self._clock.monotonic(), alive=True)  # another challenger was faster
                continue
            alive = watch.alive or self._life(last.holder) == "alive"
            if alive and self._clock.monotonic() >= until:
                raise _locked(last.holder, self._keys)
            if on_wait is not None:
                on_wait(last.holder)
                on_wait = None
            self._pause(cancel)

    def _watched(self, last: Taken | None, before: _Watch | None) -> _Watch | None:
        """What is known of the newest lease now; None when it was given back."""
        if last is None:
            return None
        beat = self._get(self._keys.beat(last.number))
        if is_released(beat):
            return None
        now = self._clock.monotonic()
        if before is None:
            return _Watch(last.number, beat, now, alive=False)
        if before.number != last.number or before.beat != beat:  # somebody has just taken it, or beaten
            return _Watch(last.number, beat, now, alive=True)
        return before

    def _is_free(self, last: Taken, watch: _Watch, seize: bool) -> bool:
        if seize and last.holder.purpose != "rollback":
            return True
        if self._life(last.holder) == "dead":
            return True
        return self._clock.monotonic() - watch.since >= self._timings.dead_after

    def _claimed(self, last: Taken | None, holder: Holder, above: int) -> Tenure | None:
        """The next lease, if nobody else was faster."""
        number, nonce = (last.number if last else 0) + 1, secrets.token_hex(16)
        if number == 1:
            prove_conditional(self._store, self._keys.proof, self._patience)
        taken = Taken(number=number, epoch=max(last.epoch if last else 0, above) + 1, nonce=nonce, holder=holder)
        body, began = taken.model_dump_json().encode() + b"\n", self._clock.monotonic()
        theirs = claim(self._store, self._keys.lease(number), body, lambda there: there == body, self._patience)
        if theirs is not None:
            return None
        with contextlib.suppress(LedgerError):  # a lost hint costs a search
            self._store.put(self._keys.lease_hint, json.dumps({"number": number}).encode() + b"\n")
        return Tenure(
            self._store, self._keys, taken, self._clock, self._timings, self._patience, self.read, since=began
        )

    def _hinted(self) -> int:
        """The number that the hint names, if there is such a lease; otherwise 0."""
        try:
            number = parse_json(self._get(self._keys.lease_hint) or b"null")["number"]
        except (ValueError, TypeError, KeyError):
            return 0
        there = isinstance(number, int) and number > 0 and self._get(self._keys.lease(number)) is not None
        return number if there else 0

    def _parsed(self, number: int, body: bytes | None) -> Taken | None:
        if body is None:
            return None
        try:
            return Taken.model_validate_json(body)
        except ValidationError as error:
            raise LedgerError(
                f"{self._store.url}/{self._keys.lease(number)} is not a lease of this ledger",
                hint="a newer shipper may have written it: upgrade shipper, or use another ledger",
            ) from error

    def _pause(self, cancel: Cancellation | None) -> None:
        if cancel is None:
            self._sleep(self._timings.poll)
        elif cancel.wait(self._timings.poll):
            cancel.check()

    def _get(self, key: str) -> bytes | None:
        return insist(lambda: self._store.get(key), self._patience)


def _locked(holder: Holder, keys: Keys) -> LockedError:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    what = f"{keys.service} in {keys.environment} on {keys.target}"
    doing = {"gc": "clean-up", "repair": "status --repair"}.get(holder.purpose, holder.purpose)
    hint = "wait for it with --wait 10m"
    if holder.purpose != "rollback":
        hint += "; `shipper rollback` does not wait for a release"
    return LockedError(
        f"{what} is locked: {holder.who} runs a {doing} there since {since}",
        hint=hint,
        details=(f"run {holder.run}, process {holder.pid} on {holder.machine}",),
    )
