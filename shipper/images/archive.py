"""An image saved as a tar on this machine, and the proof that it is the image that was built."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from shipper.errors import BuildError, PublishError
from shipper.model import Image
from shipper.model.context import Reporter
from shipper.model.json_text import parse_json
from shipper.model.quantities import show_size

LARGE_TEMPORARY = Path("/var/tmp")  # noqa: S108 - the place for large temporary files; /tmp may be memory
_SMALL = 64 << 20
"""Bytes: manifest and config of an image are far smaller; what is larger is not read into memory."""


def archive_directory() -> tempfile.TemporaryDirectory[str]:
    """A new private directory for archives: below TMPDIR when that is set, else where there is disk, not memory."""
    chosen = os.environ.get("TMPDIR") is None and os.access(LARGE_TEMPORARY, os.W_OK)
    return tempfile.TemporaryDirectory(
        prefix="shipper-archive-", dir=LARGE_TEMPORARY if chosen else None, ignore_cleanup_errors=True
    )


def write_archive(chunks: Iterable[bytes], place: Path, image: Image, report: Reporter) -> None:
    """Write the engine's stream to `place`, then check it. Raises BuildError when the disk is full, PublishError
    when it is another image. Nothing is left at `place` then."""
    _require_space(place.parent, image.size)
    part = place.with_suffix(".part")
    try:
        with part.open("wb") as file:
            for done in _written(chunks, file.write):
                report.progress("saving the image", done, float(max(image.size, done)), "bytes")
        check_archive(part, image)
        part.rename(place)
    except OSError as error:
        raise _cannot_write(place.parent, image.size, error) from error
    finally:
        part.unlink(missing_ok=True)


def check_archive(archive: Path, image: Image) -> None:
    """The one image in `archive` has the config digest and the layers of `image`. Raises PublishError."""
    try:
        found, diff_ids = _identity(archive)
    except (tarfile.TarError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PublishError(
            "the saved image cannot be read: it is no image archive",
            hint="try again; if it stays so, check the engine with `docker save`",
        ) from error
    if found != image.config_digest or diff_ids != image.diff_ids:
        raise PublishError(
            "the engine's image is not the one that was built",
            hint="something gave its name to another image meanwhile: release again",
            details=(f"expected config {image.config_digest}", f"found    config {found}"),
        )


def _identity(archive: Path) -> tuple[str, tuple[str, ...]]:
    """Config digest, computed from the config's bytes, and the diff ids in it."""
    with tarfile.open(archive, mode="r:") as tar:
        manifest = parse_json(_member(tar, "manifest.json"))
        if len(manifest) != 1:
            raise ValueError("more than one image")
        config = _member(tar, manifest[0]["Config"])
    document: dict[str, Any] = parse_json(config)
    return f"sha256:{hashlib.sha256(config).hexdigest()}", tuple(document["rootfs"]["diff_ids"])


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.getmember(name)
    stream = tar.extractfile(member)
    if stream is None or member.size > _SMALL:
        raise ValueError(f"{name} is not a small file")
    return stream.read()


def _written(chunks: Iterable[bytes], write: Any) -> Iterator[float]:
    done = 0
    for chunk in chunks:
        write(chunk)
        done += len(chunk)
        yield float(done)


def _require_space(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise _no_space(directory, needed, free)


def _cannot_write(directory: Path, needed: int, error: OSError) -> BuildError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _no_space(directory, needed, shutil.disk_usage(directory).free)
    return BuildError(
        f"the image cannot be saved in {directory}: {(error.strerror or str(error)).lower()}",
        hint="set TMPDIR to a directory that you may write to",
    )


def _no_space(directory: Path, needed: int, free: int) -> BuildError:
    return BuildError(
        f"no space in {directory}: the saved image needs {needed} bytes ({show_size(needed)}), "
        f"{show_size(free)} are free",
        hint="free some space there, or set TMPDIR to a larger disk",
    )
