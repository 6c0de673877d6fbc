"""What a saved image is, from its bytes alone."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from shipper.targets import Invalid
from shipper_targets.docker.archive import content_of
from tests.savedimage import save_image

pytestmark = pytest.mark.unit


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def oci_layout(path: Path, *, images: int = 1, claimed: str = "") -> tuple[str, str]:
    """An OCI layout with one image as docker saves it: (config digest, manifest digest)."""
    config = json.dumps({"rootfs": {"diff_ids": []}}).encode()
    manifest = json.dumps({"config": {"digest": claimed or digest(config)}, "layers": []}).encode()
    saved = [{"Config": "blobs/" + digest(config).replace(":", "/"), "RepoTags": [], "Layers": []}] * images
    files = {
        "blobs/" + digest(config).replace(":", "/"): config,
        "blobs/" + digest(manifest).replace(":", "/"): manifest,
        "index.json": json.dumps({"manifests": [{"digest": digest(manifest)}]}).encode(),
        "manifest.json": json.dumps(saved).encode(),
    }
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return digest(config), digest(manifest)


def test_an_engine_may_know_it_by_its_config_or_by_a_manifest_that_holds_it(tmp_path: Path) -> None:
    config, manifest = oci_layout(tmp_path / "image.tar")

    assert content_of(tmp_path / "image.tar") == (config, frozenset({config, manifest}))


def test_a_manifest_that_holds_another_config_is_no_id_of_it(tmp_path: Path) -> None:
    config, _ = oci_layout(tmp_path / "image.tar", claimed="sha256:" + "0" * 64)

    assert content_of(tmp_path / "image.tar") == (config, frozenset({config}))


def test_an_archive_of_an_older_engine_has_its_config_alone(tmp_path: Path) -> None:
    saved = save_image(tmp_path / "image.tar")

    assert content_of(saved.path) == (saved.config_digest, frozenset({saved.config_digest}))


def test_more_than_one_image_is_refused(tmp_path: Path) -> None:
    oci_layout(tmp_path / "image.tar", images=2)

    with pytest.raises(Invalid, match="holds 2 images, expected one"):
        content_of(tmp_path / "image.tar")


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\0" * 10240])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image.tar").write_bytes(content)

    with pytest.raises(Invalid, match=r"image\.tar is no archive of an image"):
        content_of(tmp_path / "image.tar")
