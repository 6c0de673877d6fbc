"""What shipper writes into annotations: the record on each revision, stamp and #0 on the Service. Pure."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from functools import lru_cache

from shipper.model import Release, Stamp
from shipper.model.json_text import parse_json
from shipper.targets import Invalid
from shipper_targets.knative.names import name_of_release
from shipper_targets.kubernetes import stamps
from shipper_targets.kubernetes.labels import FINGERPRINT, NUMBER, RECORD, RELEASE, STAMP
from shipper_targets.kubernetes.values import Object, mapping, name_of, text

ADOPTED = "shipper.dev/adopted"
ADOPTED_VISIBILITY = "shipper.dev/adopted-visibility"
WRITTEN = "shipper.dev/written"

LARGEST = 100_000
"""Characters of a record. All annotations of one object may have 256 KiB, and a revision's are copied to its pods."""


def record_annotations(release: Release) -> dict[str, str]:
    """A revision's: its whole release, so that no ledger is needed. Raises Invalid when it does not fit."""
    told = json.dumps(release.to_record(), sort_keys=True, separators=(",", ":")).encode()
    packed = base64.b64encode(zlib.compress(told, 9)).decode()
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
    return _unpacked(packed) if isinstance(packed, str) else None


@lru_cache(maxsize=2000)
def _unpacked(packed: str) -> Release | None:
    """Remembered: a run looks at the same records again and again, and a service may have a thousand."""
    try:
        return Release.from_record(parse_json(zlib.decompress(base64.b64decode(packed, validate=True))))
    except (ValueError, zlib.error):
        return None


def own_release(service: str, revision: Object) -> Release | None:
    """The release of a revision that is ours. Other tools copy annotations to the revisions that they make: ours is
    only one that has the name which its record gives it.
    """
    release = read_record(mapping(revision, "metadata", "annotations"))
    return release if release is not None and name_of_release(service, release) == name_of(revision) else None


def annotation(service: Object | None, key: str) -> str:
    """The Service's annotation; "" without one."""
    return text(service, "metadata", "annotations", key)


def is_stamped(service: Object | None) -> bool:
    """Whether shipper has written there."""
    return bool(annotation(service, STAMP))


def stamp_text(stamp: Stamp, service: Object | None = None) -> str:
    """The stamp as it is written, with a count: each write is told from the one before, also when it says the same."""
    return stamps.stamp_text(stamp, [] if service is None else [service])


def read_stamp(service: Object | None) -> Stamp:
    """The Service's stamp; an empty one when it has none. Raises Invalid for one that cannot be read: a newer shipper
    wrote it, whose epoch and quarantine must not be written over.
    """
    return stamps.read_stamp([] if service is None else [service])
