"""Running a program in a container to its end, with all that it printed.

Not by the docker SDK's `exec_start`: that asks for a raw socket and drops what came in one packet with the answer's
head, so that on a busy machine the output of a quick program is sometimes lost. Without `Upgrade` the engine sends it
as the body (moby, postContainerExecStart), and a body is read whole.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

_HEAD = struct.Struct(">BxxxL")
"""Of each frame: stream (1 stdout, 2 stderr) and length, as in the engine API's reference, "Attach to a container"."""


@dataclass(frozen=True)
class Ended:
    """How a program ended. `code` is None when the engine still runs it: the connection broke before."""

    code: int | None
    output: bytes
    errors: bytes


def run_in(
    client: DockerClient, container: str, words: Sequence[str], *, user: str = "", patience: float = 0.0
) -> Ended:
    """Run `words` in a container. `patience`: seconds that it may be silent beyond the client's own time limit.

    Raises what the docker SDK raises.
    """
    api: Any = client.api
    made = api.exec_create(container, list(words), user=user)["Id"]
    answer = api.post(
        f"{api.base_url}/v{api.api_version}/exec/{made}/start",
        json={"Detach": False, "Tty": False},
        timeout=api.timeout + patience,
    )
    api._raise_for_status(answer)  # as the SDK's own calls do
    output, errors = _streams(answer.content)
    return Ended(api.exec_inspect(made)["ExitCode"], output, errors)


def _streams(content: bytes) -> tuple[bytes, bytes]:
    found: dict[int, list[bytes]] = {1: [], 2: []}
    at = 0
    while at + _HEAD.size <= len(content):
        stream, length = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        found.setdefault(stream, []).append(content[at : at + length])
        at += length
    return b"".join(found[1]), b"".join(found[2])
