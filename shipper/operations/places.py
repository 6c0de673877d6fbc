"""The places that this user has released to, so that a service can be found without its repository.

One file per service, environment and target in the user's data directory; written whole or not at all, for this
user only. It says where a target is, never how to log in there.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from shipper.model import TargetSettings
from shipper.model.json_text import parse_json
from shipper.model.noun import Product


class Place(Product):
    """A target that was released to, the ledger that knows of it, and when that was."""

    target: TargetSettings
    ledger: str = Field(description="URL, without credentials.")
    at: float = Field(description="Unix seconds.")


def remember(service: str, environment: str, place: Place, environ: Mapping[str, str]) -> None:
    """Keep the place. Raises OSError when it cannot be kept."""
    path = _folder(service, environment, environ) / f"{place.target.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(place.to_record(), file)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def remembered(service: str, environment: str, environ: Mapping[str, str]) -> list[Place]:
    """The places of this service and environment, newest first. What cannot be read is passed over."""
    return sorted(_read(_folder(service, environment, environ)), key=lambda place: -place.at)


def forget(service: str, environment: str, target: str, environ: Mapping[str, str]) -> None:
    """The service was removed from there."""
    with contextlib.suppress(OSError):
        (_folder(service, environment, environ) / f"{target}.json").unlink(missing_ok=True)


def _read(folder: Path) -> Iterator[Place]:
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ValidationError):
            yield Place.from_record(parse_json(path.read_bytes()))


def _folder(service: str, environment: str, environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/shipper/targets/<service>.<environment>` on Linux. Both names are letters, digits, hyphens."""
    home = environ.get("XDG_DATA_HOME", "")
    if Path(home).is_absolute():
        return Path(home) / "shipper" / "targets" / f"{service}.{environment}"
    from platformdirs import user_data_path

    return user_data_path("shipper") / "targets" / f"{service}.{environment}"
