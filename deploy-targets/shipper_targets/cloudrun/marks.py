"""What shipper writes into annotations: the record on each revision, stamp and #0 on the service. Pure."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from shipper.model import Release, Stamp
from shipper.model.json_text import parse_json
from shipper.targets import Invalid
from shipper_targets.cloudrun.names import revision_id, short_name

if TYPE_CHECKING:
    from google.cloud import run_v2

PREFIX = "shipper.dev/"
RELEASE, NUMBER, FINGERPRINT, RECORD = (PREFIX + name for name in ("release", "number", "fingerprint", "record"))
STAMP, ADOPTED = PREFIX + "stamp", PREFIX + "adopted"
ADOPTED_SERVICE = PREFIX + "adopted-service"

LARGEST = 200_000
"""Characters of a record. All annotations of one object may have 256 KiB (Kubernetes' limit, which the API follows)."""


def record_annotations(release: Release) -> dict[str, str]:
    """A revision's: its whole release, so that no ledger is needed. Raises Invalid when it does not fit."""
    text = json.dumps(release.to_record(), sort_keys=True, separators=(",", ":")).encode()
    packed = base64.b64encode(zlib.compress(text, 9)).decode()
    if len(packed) > LARGEST:
        raise Invalid(f"the record of release {release.number} has {len(packed)} characters, {LARGEST} fit")
    return {
        RELEASE: release.id,
        NUMBER: str(release.number),
        FINGERPRINT: release.fingerprint,
        RECORD: packed,
    }


def read_record(annotations: Mapping[str, str]) -> Release | None:
    """The release in a revision's annotations; None without one, or when a newer shipper wrote it."""
    packed = annotations.get(RECORD)
    return _unpacked(packed) if packed is not None else None


@lru_cache(maxsize=2000)
def _unpacked(packed: str) -> Release | None:
    """Remembered: a run looks at the same records again and again, and a service may have a thousand."""
    try:
        return Release.from_record(parse_json(zlib.decompress(base64.b64decode(packed, validate=True))))
    except (ValueError, zlib.error):
        return None


def own_release(service: str, name: str, annotations: Mapping[str, str]) -> Release | None:
    """The release of a revision that is ours. Other tools copy annotations to the revisions that they make: ours is
    only one that has the name which its record gives it.
    """
    release = read_record(annotations)
    return release if release is not None and revision_id(service, release) == short_name(name) else None


def stamp_text(stamp: Stamp) -> str:
    """The stamp as it is written."""
    return stamp.model_dump_json()


def read_stamp(service: run_v2.Service | None) -> Stamp:
    """The service's stamp; an empty one when it has none. Raises Invalid for one that cannot be read: a newer shipper
    wrote it, whose epoch and quarantine must not be written over.
    """
    text = service.annotations.get(STAMP) if service is not None else None
    try:
        return Stamp.model_validate_json(text) if text else Stamp()
    except ValueError as error:
        raise Invalid(
            f"the stamp of {short_name(service.name) if service is not None else 'the service'} cannot be read "
            f"(annotation {STAMP}): a newer shipper wrote it, or somebody changed it"
        ) from error
