"""A fold that was kept: believed only when it is whole and fits the entry that it ends with."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from shipper.model import LedgerState
from shipper.model.json_text import parse_json
from shipper.model.noun import digest_of

EVERY = 64
"""Entries between two snapshots that stay: the most that is read again when the newest fold was lost."""


@dataclass(frozen=True)
class Snapshot:
    """The state up to an entry, and that entry's nonce: of another log, or of a log that was restored, it differs."""

    state: LedgerState
    nonce: str

    def to_bytes(self) -> bytes:
        """JSON with a digest over it."""
        value = {"nonce": self.nonce, "state": self.state.model_dump(mode="json")}
        return json.dumps({**value, "digest": digest_of(value)}, separators=(",", ":")).encode() + b"\n"


def read_snapshot(body: bytes | None) -> Snapshot | None:
    """The snapshot; None for everything that is not wholly one, of whatever origin: it is made again."""
    try:
        value = parse_json(body or b"null")
        digest = value.pop("digest")
        if digest != digest_of(value) or value.keys() != {"nonce", "state"}:
            return None
        return Snapshot(LedgerState.model_validate(value["state"]), str(value["nonce"]))
    except (ValueError, ValidationError, AttributeError, KeyError, TypeError):
        return None
