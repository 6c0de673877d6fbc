"""A port of this machine that leads to one of another machine's loopback, for as long as it is open."""

from __future__ import annotations

import contextlib
import socket
import threading

from shipper.processes.ssh import SshLine
from shipper.processes.ssh_failure import SshFailed


class Doorway:
    """Each connection to `url` becomes a call of its own. Nothing outlives `close`, or this process."""

    def __init__(self, line: SshLine, number: int) -> None:
        self._line = line
        self._number = number
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._receive, name="shipper-doorway", daemon=True).start()

    def close(self) -> None:
        """Take no more connections. Idempotent, from any thread."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not wake who waits in accept
        self._listener.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                # The caller sees a closed connection then, and asks again or tells it.
                with contextlib.suppress(SshFailed), caller:
                    self._line.port(self._number, caller)
