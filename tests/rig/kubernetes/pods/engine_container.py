"""One container of the engine, from its start to its removal."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import checks
from tests.rig.kubernetes.pods.runtime import Exit, LogQuery

if TYPE_CHECKING:
    from docker import DockerClient

_MESSAGE_BYTES, _LOG_MESSAGE_BYTES, _LOG_MESSAGE_LINES = 4096, 2048, 80


class EngineContainer:
    """`ended` is set by the engine's events; `look` asks the engine itself."""

    def __init__(self, client: DockerClient, container: str, termination_log: str, spec: Object) -> None:
        self.id = f"docker://{container}"
        self.started = datetime.now(UTC)
        self.ended = threading.Event()
        self._client, self._container, self._termination_log, self._spec = client, container, termination_log, spec
        self._exit: Exit | None = None

    def begin(self) -> None:
        """Learn when it started; it may have ended before anybody listened."""
        self.look()

    def look(self) -> None:
        """Set `ended` when the engine says so."""
        with _gone():
            state = self._client.api.inspect_container(self._container)["State"]
            self.started = _time(state["StartedAt"])
            if state["Status"] in ("running", "created", "restarting", "paused"):
                return
        self.ended.set()

    def exit(self) -> Exit:
        if self._exit is None:
            self._exit = self._read_exit()
        return self._exit

    def check(self, kind: str, probe: Object, host: str) -> str | None:
        if "exec" in probe:
            return self.execute(probe["exec"]["command"], float(probe.get("timeoutSeconds", 1)))
        return checks.check(self._spec, probe, host)

    def execute(self, command: Sequence[str], seconds: float) -> str | None:
        found: list[str | None] = []
        thread = threading.Thread(target=lambda: found.append(self._execute(command)), daemon=True)
        thread.start()
        thread.join(seconds)
        if not found:
            return f'command timed out: "{" ".join(command)}" timed out after {seconds:.0f}s'
        return found[0]

    def stop(self, seconds: float) -> None:
        with _gone():
            self._client.api.stop(self._container, timeout=max(0, round(seconds)))
        self.ended.set()

    def kill(self) -> None:
        """SIGKILL, as from the kernel; `ended` follows by the engine's event."""
        with _gone():
            self._client.api.kill(self._container)

    def logs(self, query: LogQuery) -> Iterator[bytes]:
        left = query.limit
        with _gone():
            for line in _lines(self._stream(query)):
                piece = line if query.timestamps else line.partition(b" ")[2]
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                yield piece
                if left == 0:
                    return

    def remove(self) -> None:
        with _gone():
            self._client.api.remove_container(self._container, force=True, v=True)
        self.ended.set()

    def _execute(self, command: Sequence[str]) -> str | None:
        with _gone():
            made = self._client.api.exec_create(self._container, list(command))["Id"]
            said = self._client.api.exec_start(made)
            code = self._client.api.exec_inspect(made)["ExitCode"]
            return None if code == 0 else said.decode("utf-8", "replace").strip() or f"exit status {code}"
        return "container not running"

    def _read_exit(self) -> Exit:
        with _gone():
            for _ in range(50):  # the event comes a moment before the state is written
                state = self._client.api.inspect_container(self._container)["State"]
                if not state["Running"]:
                    break
                time.sleep(0.02)
            code = int(state["ExitCode"])
            reason = "OOMKilled" if state["OOMKilled"] and code != 0 else "Completed" if code == 0 else "Error"
            return Exit(code, reason, _time(state["FinishedAt"]), self._message(code))
        return Exit(137, "ContainerStatusUnknown", message="The container could not be located when it was terminated")

    def _message(self, code: int) -> str:
        """The termination message: the file, else the end of the log when the policy says so."""
        file = Path(self._termination_log) if self._termination_log else None
        if file is not None and file.exists() and (said := file.read_bytes()[:_MESSAGE_BYTES]):
            return said.decode("utf-8", "replace")
        if code != 0 and self._spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            text = self._client.api.logs(self._container, tail=_LOG_MESSAGE_LINES)
            return text[-_LOG_MESSAGE_BYTES:].decode("utf-8", "replace")
        return ""

    def _stream(self, query: LogQuery) -> Iterator[bytes]:
        """Both streams by time, every line with its stamp."""
        found: Iterator[bytes] = self._client.api.logs(
            self._container,
            stream=True,
            follow=query.follow,
            timestamps=True,
            tail="all" if query.tail is None else query.tail,
            since=None if query.since is None else time.time() - query.since,
        )
        return found


def _lines(stream: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines, with their newlines, of pieces that end anywhere."""
    rest = b""
    for piece in stream:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00")  # nanoseconds are more than datetime takes


def _gone() -> contextlib.suppress:
    """The container is not there, or not running, any more."""
    from docker.errors import APIError, NotFound
    from requests.exceptions import RequestException

    return contextlib.suppress(NotFound, APIError, RequestException)
