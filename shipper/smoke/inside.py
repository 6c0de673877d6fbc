"""Reading a file inside a container without running anything in it, whether the container runs or not."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from shipper.smoke.engine import engine_errors

if TYPE_CHECKING:
    from docker import DockerClient

_MOST_LINKS = 8
_HEADERS = 16384  # bytes of the engine's tar stream that may come before the file's first byte


def read_start(client: DockerClient, container: str, path: str, size: int) -> bytes | None:
    """The first `size` bytes of a file, following symbolic links; None when it is not there or no file."""
    for _ in range(_MOST_LINKS):
        data, target = _tar_start(client, container, path, size + _HEADERS)
        if data is None:
            return None
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.next()
            if member is None or not (member.isfile() or member.issym()):
                return None
            if member.issym():
                path = target or member.linkname
                continue
            content = archive.extractfile(member)
            return content.read(min(size, member.size)) if content else None
    return None


def _tar_start(client: DockerClient, container: str, path: str, enough: int) -> tuple[bytes | None, str]:
    from docker.errors import APIError

    data = bytearray()
    with engine_errors("look into a container"):
        try:
            stream, about = client.api.get_archive(container, path, chunk_size=enough)
        except APIError:
            return None, ""
        for chunk in stream:
            data += chunk
            if len(data) >= enough:
                break
    return bytes(data), str(about.get("linkTarget") or "")
