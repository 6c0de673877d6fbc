"""The stamp as an annotation: read from every object that may carry it, written to the one that moves traffic. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from shipper.model import Stamp
from shipper.model.json_text import parse_json
from shipper.targets import Invalid
from shipper_targets.kubernetes.labels import STAMP
from shipper_targets.kubernetes.values import Object, at, mapping, name_of, text, uid_of

_COUNT = "at"
"""Besides the stamp's own members: how many stamps were written before it. The same run, and so the same epoch, may
write to two objects one after the other; the later one counts."""


def stamp_text(stamp: Stamp, carriers: Iterable[Object]) -> str:
    """The annotation's value, newer than what any of `carriers` has."""
    count = 1 + max((_counted(carrier)[1] for carrier in carriers), default=0)
    return json.dumps({**stamp.model_dump(mode="json"), _COUNT: count}, separators=(",", ":"))


def read_stamp(carriers: Iterable[Object]) -> Stamp:
    """The newest of what they carry; an empty one when there is none. Raises Invalid for one that cannot be read: a
    newer shipper wrote it, whose epoch and quarantine must not be written over.
    """
    found = [_counted(carrier) for carrier in carriers]
    return max(found, key=lambda one: (one[0].epoch, one[1], one[0].highest), default=(Stamp(), 0))[0]


def stamped_at(carrier: Object) -> tuple[int, int]:
    """Epoch and count of its stamp: of two carriers the later one has the larger pair."""
    stamp, count = _counted(carrier)
    return stamp.epoch, count


def carries_stamp(carrier: Object) -> bool:
    """Whether it has one."""
    return bool(at(carrier, "metadata", "annotations", STAMP))


def seen_of(carriers: Iterable[Object]) -> str:
    """A digest of what decides traffic: which objects these are, what they ask for, and the stamp.

    Not the resourceVersion: a controller's status, its annotations and an autoscaler's count change that, and are no
    reason to decide anything again.
    """
    parts = sorted((str(carrier.get("kind")), uid_of(carrier), _spec(carrier), _text(carrier)) for carrier in carriers)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _spec(carrier: Object) -> str:
    spec: dict[str, Any] = {**mapping(carrier, "spec")}
    spec.pop("replicas", None)
    # What the API server gives a Service by itself, some of it later.
    for key in ("clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy"):
        spec.pop(key, None)
    return json.dumps(spec, sort_keys=True)


def _counted(carrier: Object) -> tuple[Stamp, int]:
    found = _text(carrier)
    if not found:
        return Stamp(), 0
    try:
        told: Mapping[str, Any] = parse_json(found)
        members = {key: value for key, value in told.items() if key != _COUNT}
        return Stamp.model_validate_json(json.dumps(members)), int(told.get(_COUNT, 0))
    except (ValueError, AttributeError, TypeError) as error:
        raise Invalid(
            f"the stamp of {carrier.get('kind')} {name_of(carrier)} cannot be read (annotation {STAMP}): "
            "a newer shipper wrote it, or somebody changed it. Taken away (kubectl annotate … "
            f"{STAMP}-) it costs the numbers of what was verified, which ledger and records know"
        ) from error


def _text(carrier: Object) -> str:
    return text(carrier, "metadata", "annotations", STAMP)
