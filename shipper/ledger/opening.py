"""From a ledger's URL to a ledger. Nothing is asked of the store yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from shipper.errors import LedgerError, UsageError
from shipper.ledger.disk import DiskStore
from shipper.ledger.keys import Keys
from shipper.ledger.log import StoredLedger
from shipper.ledger.object_store import ObjectStore, explained

if TYPE_CHECKING:
    from obstore.store import MemoryStore
    from obstore.store import ObjectStore as Handle

    from shipper.ledger.store import Store

HINT = 'write "s3://bucket/prefix", "gs://bucket/prefix", "az://container/prefix" or "file:///absolute/path"'
CONNECT = "2s"
QUICK = "2500ms"
LONG = "30s"
"""Limits of one request: to connect, of one for an entry, of one for evidence."""

_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,220}")
_SEGMENT = re.compile(r"[A-Za-z0-9._=@+-]{1,200}")
_memories: dict[str, MemoryStore] = {}


def open_ledger(
    url: str | None, *, service: str, environment: str, target: str, environ: Mapping[str, str]
) -> StoredLedger:
    """The ledger of one service in one environment on one target; without a URL in this user's own directory.

    Endpoints and credentials come from `environ`, under the names that the stores' own tools know. Raises
    UsageError (2) for a URL that is none, LedgerError (33) for settings that no store can be reached with.
    """
    keys = Keys(service, environment, target)
    return StoredLedger(open_store(url or default_url(environ), environ), keys)


def default_url(environ: Mapping[str, str]) -> str:
    """file://, below $XDG_STATE_HOME/shipper, else below the platform's own place for state."""
    home = environ.get("XDG_STATE_HOME", "")
    if Path(home).is_absolute():
        return Path(home, "shipper", "ledger").as_uri()
    from platformdirs import user_state_path

    return (user_state_path("shipper") / "ledger").as_uri()


def open_store(url: str, environ: Mapping[str, str]) -> Store:
    """The store behind a URL. Raises as `open_ledger`."""
    scheme, place, prefix = _parts(url)
    if scheme == "file":
        return DiskStore(Path(place))
    if scheme == "memory":
        memory = _memory(place)
        return ObjectStore(f"memory://{place}", prefix, memory, lambda: memory, machine_only=True)
    plain = f"{scheme}://{place}/{prefix}".rstrip("/")
    quick = _connect(scheme, place, environ, QUICK)
    return ObjectStore(plain, prefix, quick, lambda: _connect(scheme, place, environ, LONG))


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, bucket (or directory) and prefix."""
    try:
        parts = urlsplit(url)
        odd = parts.username is not None or parts.password is not None or parts.query or parts.fragment
    except ValueError:
        raise UsageError("the ledger's URL is not a URL", hint=HINT) from None
    if odd:  # not shown: what is wrong with it may be a secret
        raise UsageError(
            "the ledger's URL has credentials, a query or a fragment in it",
            hint="leave them out; the store's own environment variables are used",
        )
    if parts.scheme not in ("file", "memory", "s3", "gs", "az"):
        raise UsageError(f"{url!r} is no kind of ledger", hint=HINT)
    if parts.scheme == "file":
        return "file", _directory(url, parts.netloc, parts.path), ""
    prefix = parts.path.strip("/")
    segments = prefix.split("/") if prefix else []
    if not _BUCKET.fullmatch(parts.netloc):
        raise UsageError(f"{url!r} names no bucket", hint=HINT)
    if any(not _SEGMENT.fullmatch(segment) or segment in (".", "..") for segment in segments):
        raise UsageError(f"{url!r} has a prefix that not every store can keep", hint="letters, digits and ._=@+-")
    return parts.scheme, parts.netloc, prefix


def _directory(url: str, host: str, path: str) -> str:
    plain = unquote(path)
    if host not in ("", "localhost") or not plain.startswith("/") or "\0" in plain:
        raise UsageError(f"{url!r} is not an absolute path", hint="write file:///srv/shipper/ledger")
    return str(Path(plain))


def _memory(name: str) -> MemoryStore:
    from obstore.store import MemoryStore

    return _memories.setdefault(name, MemoryStore())


def _connect(scheme: str, bucket: str, environ: Mapping[str, str], limit: str) -> Handle:
    import obstore

    from shipper.ledger import options

    try:
        if scheme == "s3":
            return options.s3(bucket, environ, CONNECT, limit)
        if scheme == "gs":
            return options.gcs(bucket, environ, CONNECT, limit)
        return options.azure(bucket, environ, CONNECT, limit)
    except obstore.exceptions.BaseError as error:
        reason = explained(f"the ledger {scheme}://{bucket} cannot be opened", error)
        raise LedgerError(reason.message, hint=reason.hint, details=reason.details) from error
