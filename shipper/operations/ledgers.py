"""Which ledger: the one that was named, else the one that the service was released with."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from shipper.ledger.protocol import Ledger
from shipper.operations.places import remembered
from shipper.operations.workspace import Workspace


def ledger_of(workspace: Workspace) -> Ledger:
    """Opened, which asks nobody yet. Raises UsageError (2) for a URL that is none, LedgerError (33)."""
    from shipper.ledger.opening import open_ledger

    return open_ledger(
        ledger_url(workspace),
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        environ=os.environ,
    )


def ledger_url(workspace: Workspace) -> str | None:
    """--ledger or SHIPPER_LEDGER, the configuration, the newest release's record on the platform, this user's own
    directory, in this order; None for the default, which is in the user's state directory."""
    if workspace.where.ledger:
        return workspace.where.ledger
    if workspace.settings.ledger.url:
        return workspace.settings.ledger.url
    newest = workspace.newest
    places = remembered(workspace.service, workspace.environment, os.environ)
    known = [newest.ledger if newest is not None else ""]
    known += [place.ledger for place in places if place.target.name == workspace.chosen.name]
    return next((url for url in known if url and _is_here(url)), None)


def _is_here(url: str) -> bool:
    """A directory that another machine recorded is of no use where there is no such directory."""
    parts = urlsplit(url)
    return parts.scheme != "file" or Path(unquote(parts.path)).is_dir()
