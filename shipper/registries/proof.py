"""What a registry holds is the image that was tested: a pure decision over the bytes that it gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipper.errors import PublishError
from shipper.model import Image
from shipper.model.json_text import parse_json
from shipper.registries.reader import INDEX_TYPES, MANIFEST_TYPES, Held


def require_tested(image: Image, held: Held, name: str) -> None:
    """`held` is one manifest for one platform, of the config that was tested, with as many layers as it has diff
    ids. Raises PublishError saying what was expected and what was found under `name`."""
    manifest = _parsed(held, name)
    media_type = str(manifest.get("mediaType") or held.media_type)
    if media_type in INDEX_TYPES or "manifests" in manifest:
        raise PublishError(
            f"the registry holds an index of several images under {name}, not the one that was tested",
            hint="push without attestations, or give shipper a repository of its own",
        )
    if media_type not in MANIFEST_TYPES:
        raise PublishError(
            f"the registry holds something else than an image under {name}: {media_type or 'unknown'}",
            hint="is this the repository of a service's images?",
        )
    config = str((manifest.get("config") or {}).get("digest"))
    if config != image.config_digest:
        raise PublishError(
            f"the registry holds another image under {name}",
            hint="somebody pushed to it meanwhile: release again",
            details=(f"expected config {image.config_digest}", f"found    config {config}"),
        )
    layers = manifest.get("layers")
    if not isinstance(layers, list) or len(layers) != len(image.diff_ids):
        found = len(layers) if isinstance(layers, list) else "no"
        raise PublishError(
            f"the registry's image under {name} has {found} layers, the tested one {len(image.diff_ids)}",
            hint="release again; if it stays so, the registry changes what it is given",
        )


def another_image(image: Image, held: Held, name: str) -> PublishError | None:
    """Why `held` is not the tested image; None when it is."""
    try:
        require_tested(image, held, name)
    except PublishError as error:
        return error
    return None


def require_digest(held: Held, digest: str, name: str) -> None:
    """The bytes that the registry gives for a digest have that digest. Raises PublishError."""
    if held.digest != digest:
        raise PublishError(
            f"the registry gives other bytes for {name} than its digest says",
            hint="do not use this registry",
            details=(f"expected {digest}", f"found    {held.digest}"),
        )


def _parsed(held: Held, name: str) -> Mapping[str, Any]:
    try:
        manifest = parse_json(held.content)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("config") or {}, dict):
        raise PublishError(f"the registry holds no manifest under {name}", hint="is this a registry?")
    return manifest
