"""Images on the engine, found and proved by config digest in both image stores."""

from __future__ import annotations

import contextlib
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper.model import ImageRef
from shipper.model.json_text import parse_json
from shipper.targets import Invalid, NotFound
from shipper_targets.docker.archive import content_of
from shipper_targets.docker.engine import first_line, translated

if TYPE_CHECKING:
    from docker import DockerClient

_BLOCK = 1 << 20
_LOADED = re.compile(r"^Loaded image(?: ID)?: (?P<name>\S+)", re.MULTILINE)


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
    found = _by_own_id(client, image) or find(client, image.config_digest)
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


def load(client: DockerClient, archive: Path, sent: Callable[[int], None] | None = None) -> str:
    """Load a saved image and return its config digest. `sent` is called with the bytes sent so far, and may raise.

    In constant memory. Raises Invalid when the engine refuses the archive, or takes it for another image.
    """
    config, ids = content_of(archive)
    with translated("load the image"):
        loaded = [str(client.images.get(name).id) for name in _loaded(client, _sending(archive, sent))]
    if len(loaded) != 1:
        raise Invalid(f"the engine loaded {len(loaded)} images from the archive, expected one")
    if loaded[0] in ids:
        # Its id there is the digest of bytes that we have just read here: nothing has to be read back.
        _keep(loaded[0], config)
        return config
    found = config_digest_of(client, loaded[0])
    if found is None:
        raise Invalid(f"the engine does not say which image it loaded as {loaded[0]}")
    return found


def _by_own_id(client: DockerClient, image: ImageRef) -> str | None:
    """The engine's id that was proved to be this image when it was published without a registry, if it is there.

    An id is a digest of content, so that proof holds for ever, on every machine; finding it anew would read the whole
    image back from a containerd store.
    """
    reference = image.reference
    if not reference.startswith("sha256:"):
        return None
    record = _inspect(client, reference)
    return reference if record is not None and record["Id"] == reference else None


def _sending(archive: Path, sent: Callable[[int], None] | None) -> Iterator[bytes]:
    done = 0
    with archive.open("rb") as content:
        while block := content.read(_BLOCK):
            yield block
            done += len(block)
            if sent is not None:
                sent(done)


def _loaded(client: DockerClient, content: Iterator[bytes]) -> list[str]:
    """The names, or ids, of what the engine has loaded. Without a time limit: it answers when it has unpacked all."""
    api: Any = client.api
    # Quiet: it would answer while we still send, and each would wait for the other.
    answer = api._post(api._url("/images/load"), data=content, params={"quiet": "1"}, stream=True, timeout=None)
    api._raise_for_status(answer)
    names = []
    for step in api._stream_helper(answer, decode=True):
        if "error" in step:
            raise Invalid(f"the engine cannot load the image: {first_line(step['error'])}")
        if (found := _LOADED.search(step.get("stream", ""))) is not None:
            names.append(found["name"])
    return names


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
                named = str(parse_json(content.read())[0]["Config"]) if content else ""
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
