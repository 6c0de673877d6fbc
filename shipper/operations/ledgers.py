"""Which ledger: the one that was named, else the one that the service was released with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from shipper.errors import LedgerError
from shipper.ledger.protocol import Lease, Ledger
from shipper.model import Entry, Fact, Holder, LedgerState, Recorded, Release
from shipper.model.context import Cancellation
from shipper.operations.places import remembered
from shipper.operations.workspace import Workspace


def ledger_of(workspace: Workspace) -> Ledger:
    """The ledger; nothing is asked of its store yet. One that cannot even be opened says so when it is used.

    Raises UsageError (2) for a URL that is none.
    """
    from shipper.ledger.opening import default_url, open_ledger

    url = ledger_url(workspace) or default_url(os.environ)
    try:
        return open_ledger(
            url,
            service=workspace.service,
            environment=workspace.environment,
            target=workspace.chosen.name,
            environ=os.environ,
        )
    except LedgerError as error:
        return Unusable(url, error)


def ledger_url(workspace: Workspace) -> str | None:
    """--ledger or SHIPPER_LEDGER, the configuration, the newest release's record on the platform, what this user
    released with before, in this order; None for the default, which is in the user's state directory.
    """
    configured = workspace.settings.ledger.url
    if workspace.where.ledger:
        return workspace.where.ledger
    if configured and workspace.path is not None:
        return configured
    newest = workspace.newest
    places = remembered(workspace.service, workspace.environment, os.environ)
    own = [place.ledger for place in places if place.target.name == workspace.chosen.name]
    recorded = configured or (newest.ledger if newest is not None else "")
    if _is_directory(recorded) and recorded not in own:
        recorded = ""  # somebody else's, perhaps of another machine: a record names no directory of this user's
    return next((url for url in (recorded, *own) if url and _is_here(url)), None)


def _is_directory(url: str) -> bool:
    return urlsplit(url).scheme == "file"


def _is_here(url: str) -> bool:
    """A directory that is not there any more is not made anew where nobody asks for it."""
    return not _is_directory(url) or Path(unquote(urlsplit(url).path)).is_dir()


class Unusable:
    """Implements Ledger: every call says why the ledger cannot be opened. A rollback goes on without it."""

    machine_only = False

    def __init__(self, url: str, error: LedgerError) -> None:
        self.url = url
        self._error = error

    def state(self) -> LedgerState:
        """Raises LedgerError."""
        self._refuse()

    def append(self, decide: Callable[[LedgerState], Fact | None], *, run: str, epoch: int) -> Entry | None:
        """Raises LedgerError."""
        self._refuse()

    def release(self, number: int) -> Release | None:
        """Raises LedgerError."""
        self._refuse()

    def history(self) -> Iterator[Recorded]:
        """Raises LedgerError."""
        self._refuse()

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
        """Raises LedgerError."""
        self._refuse()

    def put_evidence(self, config_digest: str, evidence: Mapping[str, Any]) -> None:
        """Raises LedgerError."""
        self._refuse()

    def evidence(self, config_digest: str) -> dict[str, Any] | None:
        """Raises LedgerError."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise LedgerError(self._error.message, hint=self._error.hint, details=self._error.details)
