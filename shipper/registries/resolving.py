"""What a reference means now: the one manifest of a platform, by digest, and the config that it was made from.

Nothing is pulled: the registry is asked for a manifest or two and for the image's configuration.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from shipper.errors import PublishError, UsageError
from shipper.model import ImageRef
from shipper.model.context import Cancellation
from shipper.model.json_text import parse_json
from shipper.registries.login import Login
from shipper.registries.names import Repository, parse_repository
from shipper.registries.proof import require_digest
from shipper.registries.reader import INDEX_TYPES, Held, RegistryReader
from shipper.registries.retrying import retried

LATEST = "latest"


def resolve(reference: str, platform: str | None, cancel: Cancellation) -> ImageRef:
    """`repository@sha256:…` or `repository:tag` as one image for `platform`; None where there is only one.

    Raises UsageError (2) when there is no such image, or none for the platform; PublishError for what is no image;
    CredentialsError, UnreachableError.
    """
    repository, name = split_reference(reference)
    place = parse_repository(repository)
    with contextlib.closing(_reader(place, cancel)) as reader:
        return retried(lambda: _resolved(reader, repository, name, reference, platform), place, cancel)


def split_reference(reference: str) -> tuple[str, str]:
    """(repository, digest or tag); `latest` where there is neither."""
    name, at, digest = reference.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{head}{slash}{last}", digest if at else tag or LATEST


def _reader(place: Repository, cancel: Cancellation) -> RegistryReader:
    login = Login(place, cancel)
    return RegistryReader(place, login, login.renew)


def _resolved(reader: RegistryReader, repository: str, name: str, reference: str, platform: str | None) -> ImageRef:
    held, manifest = _manifest(reader, name, reference)
    if held.media_type in INDEX_TYPES or "manifests" in manifest:
        held, manifest = _manifest(reader, _of_platform(manifest, platform, reference), reference)
    config_digest = str((manifest.get("config") or {}).get("digest") or "")
    config = reader.blob(config_digest) if config_digest.startswith("sha256:") else None
    described = _object(config, reference) if config is not None else {}
    if not described.get("os"):  # a chart, an SBOM, a signature: they have manifests too
        raise PublishError(f"the registry holds no image under {reference}", hint="is this a service's image?")
    found = _platform(described)
    if platform is not None and found != platform:
        raise UsageError(
            f"{reference} is for {found}, not for {platform}", hint="set [image] platform, or name another"
        )
    return ImageRef(
        config_digest=config_digest,
        manifest_digest=held.digest,
        reference=f"{repository}@{held.digest}",
        platform=found,
    )


def _manifest(reader: RegistryReader, name: str, reference: str) -> tuple[Held, Mapping[str, Any]]:
    held = reader.manifest(name)
    if held is None:
        raise UsageError(f"there is no image {reference}", hint="the registry shows what there is")
    if name.startswith("sha256:"):
        require_digest(held, name, reference)
    return held, _object(held.content, reference)


def _of_platform(index: Mapping[str, Any], platform: str | None, reference: str) -> str:
    """The digest of the one image in an index; attestations are no images (platform unknown/unknown)."""
    entries: Sequence[Any] = index.get("manifests") or ()
    images = {
        _platform(one["platform"]): str(one.get("digest"))
        for one in entries
        if isinstance(one, Mapping) and isinstance(one.get("platform"), Mapping)
    }
    images.pop("unknown/unknown", None)
    if platform is None and len(images) == 1:
        return next(iter(images.values()))
    if platform is None or platform not in images:
        there = ", ".join(sorted(images)) or "none"
        wanted = f"none for {platform}" if platform else "more than one platform"
        raise UsageError(f"{reference} holds {wanted}; there are: {there}", hint="set [image] platform to one of these")
    return images[platform]


def _platform(value: Mapping[str, Any]) -> str:
    """`linux/arm64`, `linux/arm/v7`; arm64's only variant is not said."""
    whole = f"{value.get('os')}/{value.get('architecture')}"
    variant = value.get("variant")
    return f"{whole}/{variant}" if variant and value.get("architecture") != "arm64" else whole


def _object(content: bytes, reference: str) -> Mapping[str, Any]:
    try:
        found = parse_json(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PublishError(f"the registry holds no image under {reference}", hint="is this a registry?")
    return found
