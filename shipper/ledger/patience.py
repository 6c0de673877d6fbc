"""How long a store is asked again, and the one primitive: put if absent, with a GET after every doubtful answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from shipper.errors import LedgerError
from shipper.ledger.store import Doubtful, Store

Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
    """No attempt begins after `limit` seconds. A request ends within 2.5 s (object_store.py), so that a store that
    swallows requests is given up after about 5 s."""

    limit: float = 3.0
    first_pause: float = 0.05
    longest_pause: float = 0.8
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def attempts(self) -> Iterator[None]:
        """One for each attempt, with longer and longer pauses between them."""
        until, pause = self.monotonic() + self.limit, self.first_pause
        while True:
            yield
            pause = min(2 * pause, self.longest_pause)
            waiting = random.uniform(pause / 2, pause)  # noqa: S311 - spreads writers, protects nothing
            if self.monotonic() + waiting >= until:
                return
            self.sleep(waiting)


def insist(call: Callable[[], Result], patience: Patience) -> Result:
    """`call()`, made again while its answer is doubtful. For what may safely be done twice: reading, overwriting."""
    doubt: Doubtful | None = None
    for _ in patience.attempts():
        try:
            return call()
        except Doubtful as error:
            doubt = error
    assert doubt is not None
    raise doubt


def claim(store: Store, key: str, body: bytes, is_ours: Callable[[bytes], bool], patience: Patience) -> bytes | None:
    """Put if absent. None when the object is ours, otherwise the other writer's.

    "It exists", a time-out and every other doubtful answer are settled by reading it: ours, another's, or absent,
    and then it is tried again. Raises Doubtful when that stays open: the object may still turn up.
    """
    doubt: LedgerError = Doubtful(f"{store.url}/{key}: neither there nor to be created", hint="try again")
    for _ in patience.attempts():
        try:
            if store.create(key, body):
                return None
        except Doubtful as error:
            doubt = error
        try:
            there = store.get(key)
        except Doubtful as error:
            doubt = error
            continue
        if there is not None:
            return None if is_ours(there) else there
    raise doubt


def prove_conditional(store: Store, key: str, patience: Patience) -> None:
    """Raise LedgerError for a store that overwrites what it was told to create. Cheap, and done once per log.

    Stores that do not know the condition ignore it (S3-compatible servers of before 2024): every promise of the
    ledger would be void.
    """
    if insist(lambda: store.create(key, b"{}\n"), patience) and insist(lambda: store.create(key, b"{}\n"), patience):
        raise LedgerError(
            f"{store.url} does not support conditional writes: two runs could overwrite each other's entries",
            hint="use a store that refuses a PUT with If-None-Match: * on an existing object",
        )
