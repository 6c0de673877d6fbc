"""Images on the engine, found and proved by config digest in both image stores."""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper.model import ImageRef
from shipper.targets import Invalid, NotFound
from shipper_targets.docker.engine import translated

if TYPE_CHECKING:
    from docker import DockerClient


def find(client: DockerClient, config_digest: str) -> str | None:
    """The reference by which the engine runs exactly this image; None when it has none.

    The classic store knows an image by its config digest. The containerd store knows it by a manifest digest:
    there the candidates are those that carry the digest in their tag (shipper/images gives it), and their
    manifest is read to prove it.
    """
    record = _inspect(client, config_digest)
    if record is not None and record["Id"] == config_digest:
        return config_digest
    short = config_digest.removeprefix("sha256:")[:32]
    with translated("look for the image"):
        candidates = client.api.images(filters={"reference": f"*/*:{short}"})
    for candidate in candidates:
        if config_digest_of(client, candidate["Id"]) == config_digest:
            return str(candidate["Id"])
    return None


def ensure(client: DockerClient, image: ImageRef) -> str:
    """The engine's reference for a release's image: what is there, else pulled by manifest digest and proved.

    Raises NotFound when it is not there and cannot be pulled, Invalid when what was pulled is another image.
    """
    found = find(client, image.config_digest)
    if found is not None:
        return found
    if image.manifest_digest is None:
        raise NotFound(f"the engine has no image with config digest {image.config_digest}")
    if _inspect(client, image.reference) is None:
        with translated(f"pull {image.reference}"):
            client.images.pull(image.reference)
    with translated("look at the image"):
        pulled_id = str(client.images.get(image.reference).id)
    if pulled_id == image.manifest_digest:
        return pulled_id  # the containerd store: this digest was proved to hold the config when it was published
    pulled = config_digest_of(client, pulled_id)
    if pulled != image.config_digest:
        raise Invalid(f"{image.reference} holds {pulled}, not the tested {image.config_digest}")
    return pulled_id


def config_digest_of(client: DockerClient, engine_id: str) -> str | None:
    """The config digest of an image by the engine's id. An id is a digest of content: its answer is kept."""
    known = _kept(engine_id)
    if known is not None:
        return known
    config = engine_id if _is_config(client, engine_id) else _config_in_archive(client, engine_id)
    if config is not None:
        _keep(engine_id, config)
    return config


def load(client: DockerClient, archive: Path) -> str:
    """Load a saved image and return its config digest."""
    with archive.open("rb") as content, translated("load the image"):
        images = client.images.load(content)
    digests = {config_digest_of(client, str(image.id)) for image in images}
    if len(digests) != 1 or None in digests:
        raise Invalid(f"the archive holds {len(digests)} images, expected one")
    return str(digests.pop())


def _inspect(client: DockerClient, name: str) -> dict[str, Any] | None:
    with contextlib.suppress(NotFound), translated("look at the image"):
        found: dict[str, Any] = client.images.get(name).attrs
        return found
    return None


def _is_config(client: DockerClient, engine_id: str) -> bool:
    """In the classic store an image's id is its config digest; the store names itself in the engine's info."""
    with translated("ask the engine about its image store"):
        info = client.api.info()
    status = {str(key): str(value) for key, value in info.get("DriverStatus") or []}
    return "snapshotter" not in status.get("driver-type", "")


def _config_in_archive(client: DockerClient, engine_id: str) -> str | None:
    """manifest.json of the saved image names the config by its digest."""
    with translated("read the image's manifest"):
        stream = client.api.get_image(engine_id)
        with tarfile.open(fileobj=_Readable(iter(stream)), mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                if member.name != "manifest.json":
                    continue
                content = archive.extractfile(member)
                named = str(json.load(content)[0]["Config"]) if content else ""
                return "sha256:" + named.rpartition("/")[2].removesuffix(".json")
    return None


class _Readable:
    """A stream of chunks as a file that tarfile can read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._left += chunk
        data, self._left = self._left[:size], self._left[size:]
        return data


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("shipper") / "config-digests"


def _kept(engine_id: str) -> str | None:
    try:
        text = (_cache() / engine_id.removeprefix("sha256:")).read_text(encoding="ascii")
    except (OSError, UnicodeError):
        return None
    hexadecimal = text.removeprefix("sha256:")
    return text if len(hexadecimal) == 64 and set(hexadecimal) <= set("0123456789abcdef") else None


def _keep(engine_id: str, config: str) -> None:
    # A full or read-only disk costs the next look its speed, nothing else.
    with contextlib.suppress(OSError):
        folder = _cache()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / engine_id.removeprefix("sha256:")
        part = path.with_suffix(".part")
        part.write_text(config, encoding="ascii")
        part.replace(path)
