"""What counts as the tested image in a registry."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from shipper.errors import PublishError
from shipper.model import Image
from shipper.registries.proof import require_digest, require_tested
from shipper.registries.reader import Held

pytestmark = pytest.mark.unit

CONFIG = "sha256:" + "c" * 64
OTHER = "sha256:" + "e" * 64
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = Image(
    config_digest=CONFIG,
    source_digest=OTHER,
    platform="linux/amd64",
    engine_id="x",
    reference="x",
    diff_ids=("a", "b"),
    size=1,
)


def held(document: Any, media_type: str = MANIFEST) -> Held:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Held(content, f"sha256:{hashlib.sha256(content).hexdigest()}", media_type)


def manifest(config: str = CONFIG, layers: int = 2, **more: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "config": {"digest": config}, "layers": [{}] * layers, **more}


@pytest.mark.parametrize("media_type", [MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"])
def test_one_manifest_of_the_tested_config_is_accepted(media_type: str) -> None:
    require_tested(IMAGE, held(manifest(), media_type), "r:t")


@pytest.mark.parametrize(
    ("document", "media_type", "said"),
    [
        (manifest(config=OTHER), MANIFEST, "another image"),
        (manifest(layers=3), MANIFEST, "3 layers, the tested one 2"),
        ({"manifests": []}, INDEX, "index"),
        (manifest(), INDEX, "index"),
        (manifest(mediaType=INDEX), MANIFEST, "index"),
        (manifest(manifests=[]), MANIFEST, "index"),
        (manifest(), "text/html", "something else"),
        ({"layers": [{}, {}]}, MANIFEST, "another image"),
        ({"config": "x"}, MANIFEST, "no manifest"),
        (b"<html>", MANIFEST, "no manifest"),
        (b"[" * 100_000, MANIFEST, "no manifest"),
        (b"\xff", MANIFEST, "no manifest"),
    ],
)
def test_anything_else_is_refused(document: Any, media_type: str, said: str) -> None:
    with pytest.raises(PublishError, match=said):
        require_tested(IMAGE, held(document, media_type), "r:t")


def test_expected_and_found_are_shown() -> None:
    with pytest.raises(PublishError) as refused:
        require_tested(IMAGE, held(manifest(config=OTHER)), "r:t")

    assert refused.value.details == (f"expected config {CONFIG}", f"found    config {OTHER}")


def test_bytes_that_are_not_those_of_the_digest_are_refused() -> None:
    with pytest.raises(PublishError, match="other bytes"):
        require_digest(held(manifest()), OTHER, "r@d")
