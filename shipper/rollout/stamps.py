"""The stamp after a release: pure, and short enough for every platform."""

from __future__ import annotations

from collections.abc import Sequence

from shipper.model import Stamp

VERIFIED = 5
"""How many verified numbers a stamp keeps: the way back of a lost ledger."""

QUARANTINED = 8
"""How many quarantined fingerprints a stamp keeps, at most; the ledger has them all."""

LENGTH = 200
"""Characters of JSON that a stamp stays under: AWS allows 256 in a Lambda alias's Description and in a tag's value."""


def with_verified(stamp: Stamp, *numbers: int) -> Stamp:
    """These numbers are verified, newest last; of older ones the newest few stay."""
    verified = [number for number in stamp.verified if number not in numbers] + list(numbers)
    return _short_enough(stamp.model_copy(update={"verified": tuple(verified[-VERIFIED:])}))


def with_quarantine(stamp: Stamp, add: Sequence[str], lift: Sequence[str]) -> Stamp:
    """These short fingerprints may not come back (`add`), or may again (`lift`)."""
    kept = [one for one in stamp.quarantined if one not in (*add, *lift)]
    quarantined = [*kept, *(one for one in add if one not in lift)]
    return _short_enough(stamp.model_copy(update={"quarantined": tuple(quarantined[-QUARANTINED:])}))


def _short_enough(stamp: Stamp) -> Stamp:
    """Without the oldest quarantined ones, as far as the length asks for it."""
    while len(stamp.model_dump_json()) >= LENGTH and stamp.quarantined:
        stamp = stamp.model_copy(update={"quarantined": stamp.quarantined[1:]})
    return stamp
