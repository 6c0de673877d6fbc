"""What a saved image is: its config digest, and the ids by which an engine may know it once it is loaded."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

from shipper.model.json_text import parse_json
from shipper.targets import Invalid

_SMALL = 64 << 20
"""Bytes: the documents of an image are far smaller."""


def content_of(archive: Path) -> tuple[str, frozenset[str]]:
    """(config digest, ids) of the one image in `archive`, computed from its bytes.

    An id is the config digest (classic store) or the digest of a manifest that holds this config (containerd store).
    Raises Invalid when it is no archive of exactly one image.
    """
    try:
        with tarfile.open(archive, mode="r:") as tar:
            saved = parse_json(_member(tar, "manifest.json"))
            if len(saved) != 1:
                raise Invalid(f"the archive holds {len(saved)} images, expected one")
            config = _digest(_member(tar, saved[0]["Config"]))
            return config, frozenset({config, *_manifests_of(tar, config)})
    except (tarfile.TarError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
        raise Invalid(f"{archive.name} is no archive of an image: {error}") from error


def _manifests_of(tar: tarfile.TarFile, config: str) -> Iterator[str]:
    """None in an archive of an engine before version 25, which is no OCI layout."""
    if "index.json" not in tar.getnames():
        return
    for entry in parse_json(_member(tar, "index.json"))["manifests"]:
        content = _member(tar, "blobs/" + str(entry["digest"]).replace(":", "/"))
        if (parse_json(content).get("config") or {}).get("digest") == config:
            yield _digest(content)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.getmember(name)
    stream = tar.extractfile(member)
    if stream is None or member.size > _SMALL:
        raise ValueError(f"{name} is not a small file")
    return stream.read()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
