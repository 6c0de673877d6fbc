"""Images in a registry, put there by hand: what a name means needs no layer."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx

OCI = "application/vnd.oci.image"


class Pushed:
    """Images and indexes of one repository, put there by hand: no layer is needed to say what a name means."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        host, _, path = repository.partition("/")
        self._base = f"http://{host}/v2/{path}"

    def image(self, platform: str, tag: str = "", note: str = "") -> tuple[str, str]:
        """(manifest digest, config digest)"""
        system, architecture, *variant = platform.split("/")
        settings = {"os": system, "architecture": architecture, "config": {"Labels": {"note": note}}}
        config = self.blob(json.dumps({**settings, **({"variant": variant[0]} if variant else {})}).encode())
        described = {"mediaType": f"{OCI}.config.v1+json", "digest": config, "size": 2}
        return self.manifest({"config": described, "layers": []}, f"{OCI}.manifest.v1+json", tag), config

    def index(self, entries: list[dict[str, Any]], tag: str) -> str:
        """Its digest."""
        return self.manifest({"manifests": entries}, f"{OCI}.index.v1+json", tag)

    def entry(self, digest: str, platform: str) -> dict[str, Any]:
        """Of an index."""
        system, architecture, *variant = platform.split("/")
        where = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        held = httpx.get(f"{self._base}/manifests/{digest}", headers={"Accept": f"{OCI}.manifest.v1+json"}).content
        return {"mediaType": f"{OCI}.manifest.v1+json", "digest": digest, "size": len(held), "platform": where}

    def manifest(self, value: dict[str, Any], media_type: str, tag: str) -> str:
        """Its digest."""
        content = json.dumps({"schemaVersion": 2, "mediaType": media_type, **value}).encode()
        digest = _digest(content)
        for name in {tag or digest, digest}:
            answer = httpx.put(
                f"{self._base}/manifests/{name}", content=content, headers={"Content-Type": media_type}, timeout=20
            )
            assert answer.status_code == 201, answer.text
        return digest

    def blob(self, content: bytes) -> str:
        """Its digest."""
        digest = _digest(content)
        started = httpx.post(f"{self._base}/blobs/uploads/", timeout=20)
        where = httpx.URL(started.headers["location"]).copy_merge_params({"digest": digest})
        where = httpx.URL(f"{self._base}/").join(where)
        answer = httpx.put(where, content=content, headers={"Content-Type": "application/octet-stream"}, timeout=20)
        assert answer.status_code == 201, answer.text
        return digest


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
