"""The engine's events about one container: the only reliable word about memory.

With worker processes the container stays up when one is killed, and the engine's OOMKilled flag resets on restart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shipper.smoke.engine import engine_errors

if TYPE_CHECKING:
    from docker import DockerClient


class Watch:
    """Listens from before the start until `close`. Read its members from any thread."""

    def __init__(self, client: DockerClient, container_id: str) -> None:
        filters: dict[str, Any] = {"container": container_id, "event": ["oom", "die"]}
        with engine_errors("listen to the engine's events"):
            self._stream: Any = client.api.events(filters=filters, decode=True)
        self._told = threading.Condition()
        self._out_of_memory = False
        self._exit_code: int | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="shipper-smoke-events", daemon=True)
        self._thread.start()

    @property
    def out_of_memory(self) -> bool:
        """Whether a process of the container was killed for memory, ever."""
        return self._out_of_memory

    @property
    def exit_code(self) -> int | None:
        """Set once the container has ended."""
        return self._exit_code

    @property
    def broken(self) -> bool:
        """Whether the engine stopped telling: ask it in other ways."""
        return self._ended

    def wait_for_oom(self, seconds: float) -> bool:
        """Whether memory was the cause; waits at most `seconds`, because `oom` may come just after `die`."""
        self._wait(lambda: self._out_of_memory, seconds)
        return self._out_of_memory

    def wait_for_exit(self, seconds: float) -> int | None:
        """The exit code; waits at most `seconds`, because `die` comes just after the `oom` of a single process."""
        self._wait(lambda: self._exit_code is not None, seconds)
        return self._exit_code

    def close(self) -> None:
        """Stop listening. Idempotent."""
        with suppress(Exception):  # the SDK reaches into its transport's internals; the thread is a daemon
            self._stream.close()
        self._thread.join(1.0)

    def _wait(self, told: Callable[[], bool], seconds: float) -> None:
        with self._told:
            self._told.wait_for(lambda: told() or self._ended, seconds)

    def _listen(self) -> None:
        # Whatever ends the stream, `close` or a lost engine: the reader sees `broken` and asks the engine itself.
        with suppress(Exception):
            for event in self._stream:
                self._note(event)
        with self._told:
            self._ended = True
            self._told.notify_all()

    def _note(self, event: dict[str, Any]) -> None:
        with self._told:
            if event.get("Action") == "oom":
                self._out_of_memory = True
            elif event.get("Action") == "die":
                self._exit_code = int(event.get("Actor", {}).get("Attributes", {}).get("exitCode", -1))
            self._told.notify_all()
