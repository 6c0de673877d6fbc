"""The saved image: written safely, and never another one than was built."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.errors import BuildError, PublishError
from shipper.images.archive import check_archive, write_archive
from shipper.model import Image
from tests.unit.images.conftest import Told

pytestmark = pytest.mark.unit

DIFF_ID = "sha256:" + "d" * 64
CONFIG = json.dumps({"rootfs": {"diff_ids": [DIFF_ID]}}).encode()


def saved(config: bytes = CONFIG, images: int = 1) -> bytes:
    manifest = json.dumps([{"Config": "blobs/sha256/config", "Layers": []}] * images).encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in (("blobs/sha256/config", config), ("manifest.json", manifest)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def image(size: int = 100) -> Image:
    return Image(
        config_digest="sha256:" + hashlib.sha256(CONFIG).hexdigest(),
        source_digest=DIFF_ID,
        platform="linux/amd64",
        engine_id="x",
        reference="x",
        diff_ids=(DIFF_ID,),
        size=size,
    )


def test_the_image_that_was_built_is_accepted(tmp_path: Path, told: Told) -> None:
    write_archive([saved()[:100], saved()[100:]], tmp_path / "image.tar", image(), told)

    assert (tmp_path / "image.tar").read_bytes() == saved()
    assert told.steps[-1][1] == len(saved())


@pytest.mark.parametrize("content", [saved(CONFIG + b" "), saved(images=2), b"no tar at all", b""])
def test_anything_else_is_refused_and_removed(tmp_path: Path, told: Told, content: bytes) -> None:
    with pytest.raises(PublishError):
        write_archive([content], tmp_path / "image.tar", image(), told)

    assert list(tmp_path.iterdir()) == []


def test_other_layers_under_the_right_config_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(saved())

    with pytest.raises(PublishError, match="not the one that was built"):
        check_archive(tmp_path / "image.tar", image().model_copy(update={"diff_ids": (DIFF_ID, DIFF_ID)}))


def test_a_disk_that_is_too_small_is_known_before_writing(tmp_path: Path, told: Told) -> None:
    with pytest.raises(BuildError, match=rf"no space in {tmp_path}: the saved image needs {2**60} bytes"):
        write_archive([saved()], tmp_path / "image.tar", image(size=2**60), told)


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(tmp_path: Path, told: Told) -> None:
    def filling() -> Iterator[bytes]:
        yield b"half of it"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BuildError, match=f"no space in {tmp_path}"):
        write_archive(filling(), tmp_path / "image.tar", image(), told)

    assert list(tmp_path.iterdir()) == []
