"""What shipper asks of a ledger: an append-only log per (service, environment, target), and the lease to write.

The only primitive below is put-if-absent of entry N; nothing ever lists. design.md section 5 is the contract, and
docs/reliability.md says in which cases it admits a late write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from shipper.model import Entry, Fact, Holder, LedgerState, Recorded, Release
from shipper.model.context import Cancellation


@runtime_checkable
class Lease(Protocol):
    """The right to write here. Its holder renews a beat in the background until the block ends."""

    @property
    def epoch(self) -> int:
        """The fence that goes into the stamp: higher than every epoch before."""

    @property
    def holder(self) -> Holder:
        """Who holds it: this run."""

    def check(self) -> None:
        """Raise Overtaken when somebody with a higher epoch was seen, or when our beat is too old to be believed."""


@runtime_checkable
class Ledger(Protocol):
    """One log. Every call may raise LedgerError (33): the store does not answer or refuses us."""

    @property
    def url(self) -> str:
        """Where it is, such as "s3://bucket/prefix": without credentials; goes into every release's record."""

    @property
    def machine_only(self) -> bool:
        """Whether its lease excludes writers on this machine only (a store of kind file or memory)."""

    def state(self) -> LedgerState:
        """The fold of everything that is there now: the same time at any length."""

    def append(self, decide: Callable[[LedgerState], Fact | None], *, run: str, epoch: int) -> Entry | None:
        """Write what `decide` says about the newest state; asked anew whenever another writer was faster.

        None when it decides to write nothing. An entry once written is never lost, changed or written twice.
        """

    def release(self, number: int) -> Release | None:
        """The whole record of a release, at any age; None when the log has none of that number."""

    def history(self) -> Iterator[Recorded]:
        """Every release, newest first, read as it is asked for."""

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
        """Take the lease, with an epoch higher than `above` (the stamp's), and give it back at the block's end.

        Waits at most `wait` seconds for its holder (`on_wait` is told who that is). `seize`, which is a rollback's,
        takes over at once what a release, a clean-up, a repair or a removal holds, never what another rollback
        holds. Raises LockedError (30) that says who, where and since when.
        """

    def put_evidence(self, config_digest: str, evidence: Mapping[str, Any]) -> None:
        """Keep the evidence about an image; once per config digest, the first one stays."""

    def evidence(self, config_digest: str) -> dict[str, Any] | None:
        """The evidence about an image; None when there is none."""
