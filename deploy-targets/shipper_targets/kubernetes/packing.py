"""Manifests as a few bytes for the record of a release, and back. Pure, and the same bytes for the same manifests."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from shipper.model.json_text import parse_json
from shipper.targets import Invalid
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered

FORMAT = 1
MOST_BYTES = 900_000
"""Of one packed value: a Secret's data may have 1 MiB (Kubernetes' documentation, Secrets), with all of its keys."""

_LARGEST_UNPACKED = 64 * 2**20


def pack(whole: Rendered) -> bytes:
    """Raises Invalid when it is too large for a record."""
    key = whole.workload
    value = {
        "format": FORMAT,
        "workload": [key.group, key.kind, key.namespace, key.name],
        "content": whole.content,
        "manifests": [dict(manifest.body) for manifest in whole.manifests],
    }
    return pack_json(value, "the manifests of this release")


def unpack(packed: bytes) -> Rendered:
    """The inverse. Raises Invalid for what `pack` did not make."""
    value = unpack_json(packed, "the manifests of this release")
    try:
        if value["format"] != FORMAT:
            raise Invalid(f"manifests of format {value['format']} were recorded by another shipper: upgrade this one")
        manifests = tuple(Manifest(body) for body in value["manifests"])
        return Rendered(manifests, Key(*value["workload"]), value["content"])
    except (KeyError, TypeError) as error:
        raise Invalid(f"the manifests of this release cannot be read: {error!r}") from error


def pack_json(value: Any, what: str) -> bytes:
    """Any JSON value. Raises Invalid, naming `what`, when it is too large for a record."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    if len(packed) > MOST_BYTES:
        raise Invalid(
            f"{what} are {len(packed)} bytes compressed, and a record holds {MOST_BYTES}: "
            "keep large files out of ConfigMaps, put them into the image or a volume"
        )
    return packed


def unpack_json(packed: bytes, what: str) -> Any:
    """The inverse. Raises Invalid, naming `what`."""
    decompressor = zlib.decompressobj(wbits=31)
    try:
        text = decompressor.decompress(packed, _LARGEST_UNPACKED)
        if decompressor.unconsumed_tail or not decompressor.eof:
            raise Invalid(f"{what} cannot be read: cut off, or larger than {_LARGEST_UNPACKED} bytes")
        return parse_json(text)
    except (zlib.error, ValueError) as error:
        raise Invalid(f"{what} cannot be read: {error}") from error
