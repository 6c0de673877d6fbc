"""The record of each release on the host: a file, written once; for a container without one, its labels. Pure."""

from __future__ import annotations

import json

from shipper.model import ImageRef, Release, Settings
from shipper.model.json_text import parse_json
from shipper_targets.docker.containers import Found
from shipper_targets.docker.render import LABEL


def record_name(release: Release) -> str:
    """`<number>-<id>`."""
    return f"{release.number}-{release.id}"


def record_of(release: Release) -> bytes:
    """The file's content."""
    return json.dumps(release.to_record(), sort_keys=True).encode()


def read_record(text: str) -> Release | None:
    """The release in a file; None when a newer shipper wrote it in a form that we do not know."""
    try:
        return Release.from_record(parse_json(text))
    except ValueError:
        return None


def from_labels(found: Found) -> Release:
    """The release of a container whose record is lost: all that decides how it runs. What only a rollout needs
    (golden requests, strategy) is the default."""
    labels = {name.removeprefix(LABEL): value for name, value in found.labels.items()}
    runtime = parse_json(labels["runtime"])
    service = {
        "service": labels["service"],
        "environment": labels["environment"],
        "root": labels.get("root", "/"),
    }
    image = ImageRef(
        config_digest=labels["config-digest"],
        manifest_digest=labels.get("manifest-digest") or None,
        reference=labels["image"],
        platform=labels.get("platform", ""),
    )
    return Release(
        id=labels["release"],
        number=int(labels["number"]),
        fingerprint=labels["fingerprint"],
        images={"main": image},
        settings=Settings.model_validate(
            {"service": service, **{name: runtime[name] for name in ("run", "scale", "health")}}
        ),
        target=labels["target"],
        secret_versions=parse_json(labels["secrets"]),
        commit=labels["commit"] or None,
        created=float(labels["created"]),
    )
