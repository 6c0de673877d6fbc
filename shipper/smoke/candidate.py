"""One candidate: a container that runs as production would run it, from create to removal."""

from __future__ import annotations

import re
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from shipper.errors import SmokeError
from shipper.model import Image
from shipper.processes.ssh_doorway import Doorway
from shipper.smoke.doorway import open_doorway
from shipper.smoke.engine import engine_errors, engine_words, refused
from shipper.smoke.watching import Watch
from shipper.targets.docker_client import line_of

if TYPE_CHECKING:
    from docker import DockerClient

    from shipper.processes.ssh import SshLine

LOG_LIMIT = 1_000_000  # bytes of a candidate's output that are read and kept, the newest
_LOG_LINES = 5000
# The engine could not start the program, and the image is to blame: not the engine, its disk or its devices.
_IMAGE_IS_TO_BLAME = re.compile(r"exec:? |exec format error|unable to find (?:user|group)|chdir to cwd|OOM-killed")


class Usage(NamedTuple):
    """What a container used, as the engine measured it: seconds of processor time, bytes now, bytes at the peak."""

    cpu_seconds: float | None
    memory: int | None
    peak_memory: int | None


class Candidate:
    """Not started until `start`; `destroy` may come from any thread, at any time, more than once."""

    def __init__(self, client: DockerClient, image: Image, port: int, options: Mapping[str, Any]) -> None:
        self.client = client
        self.name = f"shipper-smoke-{secrets.token_hex(6)}"
        self.port = port
        self._image = image
        self._options = dict(options)
        self._watch: Watch | None = None
        self._started = False
        self._destroying = threading.Lock()
        self._doorway: Doorway | None = None

    @property
    def watch(self) -> Watch:
        """The engine's events; there from `create` on."""
        if self._watch is None:
            raise SmokeError("the candidate was not created", hint="this is a bug of ours: please report it")
        return self._watch

    @property
    def started(self) -> bool:
        """Whether its program was started."""
        return self._started

    def create(self) -> None:
        """Create it from exactly the bytes of the image. Raises SmokeError, UnreachableError."""
        from docker.errors import ImageNotFound

        # By the engine's id, not by a name that another build may have moved meanwhile.
        ports: Any = {f"{self.port}/tcp": ("127.0.0.1", None)}
        with engine_errors("create the candidate"):
            try:
                self.client.containers.create(
                    self._image.engine_id,
                    name=self.name,
                    ports=ports,
                    **self._options,
                )
            except ImageNotFound as error:
                raise SmokeError(
                    f"the image {self._image.reference} is no longer on the engine",
                    hint="release again: it is built anew",
                ) from error
        self._watch = Watch(self.client, self.name)

    def start(self) -> str:
        """Start it. The engine's words when the image's program cannot be started, else the empty string."""
        from docker.errors import APIError

        with engine_errors("start the candidate"):
            try:
                self.client.api.start(self.name)
            except APIError as error:
                words = engine_words(error)
                if _IMAGE_IS_TO_BLAME.search(words):
                    return words
                raise refused("start the candidate", words) from error
        self._started = True
        return ""

    def inspect(self) -> dict[str, Any]:
        """The engine's record of it."""
        with engine_errors("look at the candidate"):
            found: dict[str, Any] = self.client.api.inspect_container(self.name)
        return found

    def ended(self) -> bool:
        """Whether it runs no more."""
        if self.watch.exit_code is not None:
            return True
        return self.watch.broken and not self.inspect()["State"]["Running"]

    def ran_out_of_memory(self) -> bool:
        """Whether one of its processes was killed for memory, ever."""
        return self.watch.out_of_memory

    def base_urls(self) -> tuple[str, ...]:
        """Where to ask it: the published port, then the container itself.

        The second helps when shipper runs in a container beside it, where the engine's loopback is not ours. Over ssh
        there is one: a port here that leads to the published one there. Raises SmokeError, UnreachableError.
        """
        network = self.inspect()["NetworkSettings"]
        bound = (network.get("Ports") or {}).get(f"{self.port}/tcp") or []
        line = line_of(self.client)
        if line is not None:
            return (self._door(line, int(bound[0]["HostPort"])),) if bound else ()
        published = [f"http://127.0.0.1:{entry['HostPort']}" for entry in bound[:1]]
        own = [entry.get("IPAddress") for entry in (network.get("Networks") or {}).values()]
        return tuple(published + [f"http://{address}:{self.port}" for address in own if address])

    def log(self) -> str:
        """What it printed, at most the newest LOG_LIMIT bytes. Not redacted."""
        kept: deque[bytes] = deque()
        size = 0
        with engine_errors("read the candidate's log"):
            for chunk in self.client.api.logs(self.name, stream=True, follow=False, tail=_LOG_LINES):
                kept.append(chunk)
                size += len(chunk)
                while size > LOG_LIMIT and len(kept) > 1:
                    size -= len(kept.popleft())
        return b"".join(kept)[-LOG_LIMIT:].decode("utf-8", "replace")

    def usage(self) -> Usage:
        """What it uses now. Unknown parts are None, as they all are once it has ended."""
        with engine_errors("read what the candidate uses"):
            stats = self.client.api.stats(self.name, stream=False, one_shot=True)
        memory, cpu = stats.get("memory_stats") or {}, stats.get("cpu_stats") or {}
        ticks = (cpu.get("cpu_usage") or {}).get("total_usage")  # nanoseconds
        used = memory.get("usage")
        return Usage(ticks / 1e9 if ticks else None, used, memory.get("max_usage") or self._peak(used))

    def execute(self, command: list[str]) -> str | None:
        """What a command prints inside it; None when it cannot be run there."""
        from docker.errors import APIError

        with engine_errors("run a command in the candidate"):
            try:
                made = self.client.api.exec_create(self.name, command, stderr=False)
                printed = self.client.api.exec_start(made["Id"])
                done = self.client.api.exec_inspect(made["Id"])
            except APIError:
                return None
        return bytes(printed).decode("utf-8", "replace") if done.get("ExitCode") == 0 else None

    def terminate(self) -> None:
        """Send the signal by which production would end it: the image's own, or SIGTERM."""
        from docker.errors import APIError

        signal = (self.inspect().get("Config") or {}).get("StopSignal") or "SIGTERM"
        with engine_errors("stop the candidate"):
            try:
                self.client.api.kill(self.name, signal=signal)
            except APIError as error:
                if error.status_code != 409:  # it has just ended
                    raise

    def destroy(self) -> None:
        """Kill and remove it with its anonymous volumes. Idempotent. Raises UnreachableError, SmokeError."""
        from docker.errors import APIError

        with self._destroying, engine_errors("remove the candidate"):
            try:
                self.client.api.remove_container(self.name, v=True, force=True)
            except APIError as error:
                if error.status_code not in {404, 409}:  # gone, or being removed
                    raise
        if self._watch is not None:
            self._watch.close()
        if self._doorway is not None:
            self._doorway.close()

    def _door(self, line: SshLine, port: int) -> str:
        if self._doorway is None:
            with engine_errors("reach the candidate"):
                self._doorway = open_doorway(line, port)
        return self._doorway.url

    def _peak(self, used: int | None) -> int | None:
        # The engine gives no peak on cgroup v2; the kernel does, inside.
        text = self.execute(["cat", "/sys/fs/cgroup/memory.peak"]) if used else None
        return int(text) if text and text.strip().isdigit() else used
