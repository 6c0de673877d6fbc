"""One instance: a container from its start to its end."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.rig.google.cloudrun import instances_container, instances_outcomes, instances_probes
from tests.rig.google.cloudrun.contract import OK, LogLine, Outcome, RunSpec, World
from tests.rig.shell import RigError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

KEPT_LINES = 1000


class Instance:
    """A container, watched from its first moment. `ended` is set as soon as it does not run any more."""

    def __init__(
        self, client: DockerClient, spec: RunSpec, world: World, image: str, labels: Mapping[str, str]
    ) -> None:
        self.spec = spec
        self.ended = threading.Event()
        self.ready = True
        self.host = ""
        self._client = client
        self._out_of_memory = False
        self._removing = threading.Lock()
        self._kept: tuple[LogLine, ...] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="shipper-cloudrun-"))
        try:
            self._container: Container = instances_container.create(
                client, spec, world, image=image, folder=self._folder, labels=labels
            )
        except BaseException:
            shutil.rmtree(self._folder)
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Where it takes requests: its address on the engine's bridge, which this machine must reach (Linux)."""
        return self.host, self.spec.port

    def start(self) -> Outcome:
        """Start it and judge the start; a container that ends early is found at once. Not ok: it is gone."""
        said = self._run()
        if said is not None:
            self.remove()
            return instances_outcomes.not_listening(self.spec, (said,))
        probe = self.spec.startup_probe or instances_probes.default_probe(self.spec.port)
        if instances_probes.passes_in_time(probe, self.host, self.ended):
            self._look_after()
            return OK
        ran = not self.ended.is_set()
        self.remove()
        lines = tuple(line.text for line in self.logs(20))
        if self._out_of_memory:
            return instances_outcomes.out_of_memory(self.spec, lines)
        if ran and probe.kind != "tcp":
            return instances_outcomes.probe_failed(self.spec, lines)
        return instances_outcomes.not_listening(self.spec, lines)

    def kill(self) -> None:
        """End it as the platform does after a liveness failure: SIGKILL."""
        with contextlib.suppress(*_gone()):
            self._container.kill()

    def remove(self, grace: int = 0) -> None:
        """End it, with SIGTERM first when `grace` seconds are given; keep what it wrote; leave nothing behind."""
        with self._removing:
            if self._kept is not None:
                return
            with contextlib.suppress(*_gone()):
                self._container.stop(timeout=grace)
            self.ended.set()
            self._kept = self._read(KEPT_LINES)
            with contextlib.suppress(*_gone()):
                self._container.reload()
                self._out_of_memory = bool(self._container.attrs["State"]["OOMKilled"])
                self._container.remove(force=True, v=True)
            shutil.rmtree(self._folder, ignore_errors=True)

    def logs(self, lines: int) -> tuple[LogLine, ...]:
        """The last lines that it wrote, oldest first."""
        kept = self._kept if self._kept is not None else self._read(lines)
        return kept[-lines:] if lines > 0 else ()

    def _run(self) -> str | None:
        """Start the container and learn its address; what the engine says when it cannot be started, else None."""
        from docker.errors import APIError

        try:
            self._container.start()
        except APIError as error:
            if error.response is not None and error.response.status_code == 400:  # "executable file not found in $PATH"
                return str(error.explanation)
            raise RigError(f"the engine cannot start {self.spec.image}: {error.explanation}") from error
        self._container.reload()
        self.host = str(self._container.attrs["NetworkSettings"]["IPAddress"])
        threading.Thread(target=self._wait, name=f"wait {self.spec.revision_id}", daemon=True).start()
        return None

    def _wait(self) -> None:
        """Set `ended` when the container ends, or the engine does."""
        try:
            with contextlib.suppress(*_gone(), OSError):
                self._client.api.wait(str(self._container.id), timeout=None)
        finally:
            self.ended.set()

    def _look_after(self) -> None:
        for probe, heard in (
            (self.spec.liveness_probe, self._alive),
            (self.spec.readiness_probe, self._set_ready),
        ):
            if probe is not None:
                threading.Thread(
                    target=instances_probes.watch, args=(probe, self.host, self.ended, heard), daemon=True
                ).start()

    def _alive(self, passed: bool) -> None:
        if not passed:
            self.kill()

    def _set_ready(self, passed: bool) -> None:
        self.ready = passed

    def _read(self, lines: int) -> tuple[LogLine, ...]:
        """Both streams, by time: the engine's json log stamps every line."""
        found: list[LogLine] = []
        streams: tuple[Literal["stdout", "stderr"], ...] = ("stdout", "stderr")
        for stream in streams:
            with contextlib.suppress(*_gone()):
                raw = self._client.api.logs(
                    str(self._container.id),
                    stdout=stream == "stdout",
                    stderr=stream == "stderr",
                    timestamps=True,
                    tail=lines,
                )
                found += [_line(text, stream) for text in raw.decode("utf-8", "replace").splitlines()]
        return tuple(sorted(found, key=lambda line: line.at))


def _line(stamped: str, stream: Literal["stdout", "stderr"]) -> LogLine:
    stamp, _, text = stamped.partition(" ")
    at = datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00")  # nanoseconds are more than datetime takes
    return LogLine(at.timestamp(), stream, text)


def _gone() -> tuple[type[Exception], ...]:
    """The container is not there, or not running, any more."""
    from docker.errors import APIError, NotFound
    from requests.exceptions import RequestException

    return NotFound, APIError, RequestException
