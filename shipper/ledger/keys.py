"""Where each object of a log is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shipper.errors import UsageError

FOLD = 1
"""The version of the fold's rules, in the keys of what was made by them: a reader with other rules makes its own.

It must rise with every new rule, and with every new kind of fact that is written as critical."""

_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Keys:
    """The keys of one log. Entries and leases are counted from 1, without a gap."""

    service: str
    environment: str
    target: str

    def __post_init__(self) -> None:
        """Raises UsageError (2) for a name that no object can carry."""
        for part in (self.service, self.environment, self.target):
            if not _PART.fullmatch(part):
                raise UsageError(
                    f"{part!r} cannot be part of a ledger's path",
                    hint="letters, digits, dots, underscores and hyphens, at most 100",
                )

    @property
    def root(self) -> str:
        """The folder of this log."""
        return f"{self.service}/{self.environment}/{self.target}"

    @property
    def proof(self) -> str:
        """Created twice, once per log: shows that the store refuses the second time."""
        return f"{self.root}/conditional.json"

    @property
    def hint(self) -> str:
        """The newest fold, as somebody left it. It may be old, lost or wrong."""
        return f"{self.root}/fold-{FOLD}/newest.json"

    def snapshot(self, position: int) -> str:
        """The fold up to this entry."""
        return f"{self.root}/fold-{FOLD}/{position:012d}.json"

    def entry(self, position: int) -> str:
        """Entry N."""
        return f"{self.root}/entries/{position:012d}.json"

    @property
    def lease_hint(self) -> str:
        """The newest lease's number, as somebody left it."""
        return f"{self.root}/leases/newest.json"

    def lease(self, number: int) -> str:
        """The N-th lease: who took it, under which epoch."""
        return f"{self.root}/leases/{number:012d}.json"

    def beat(self, number: int) -> str:
        """What the N-th lease's holder overwrites while it is at work."""
        return f"{self.root}/beats/{number:012d}.json"


def evidence_key(config_digest: str) -> str:
    """The evidence about an image, whatever service it belongs to. Raises UsageError for what is no digest."""
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", config_digest):
        raise UsageError(f"{config_digest!r} is not a config digest", hint='it looks like "sha256:" and 64 hex digits')
    return f"evidence/{config_digest.replace(':', '-')}.json"
