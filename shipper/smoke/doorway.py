"""A port of this machine that leads to one of another machine's loopback, over ssh, for as long as it is open."""

from __future__ import annotations

import contextlib
import socket
import threading

from shipper.errors import SmokeError
from shipper.processes.ssh import SshLine
from shipper.processes.ssh_failure import SshFailed

_NEWS = 2.0
"""Seconds in which an ssh server says that it forwards nothing."""


class Doorway:
    """Each connection to `url` becomes a call of its own over the line. Nothing outlives `close`, or this process."""

    def __init__(self, line: SshLine, port: int) -> None:
        """Raises SmokeError when the ssh server there forwards no ports, SshFailed when it does not answer."""
        _require_forwarding(line, port)
        self._line = line
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._receive, name="shipper-smoke-doorway", daemon=True).start()

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
                    self._line.port(self._port, caller)


def _require_forwarding(line: SshLine, port: int) -> None:
    call = line.port(port)
    try:
        call.socket.settimeout(_NEWS)
        with contextlib.suppress(OSError):  # no news: something took the connection and waits
            call.socket.shutdown(socket.SHUT_WR)
            call.socket.recv(1)
        failed = call.failure(0.0)
    finally:
        call.end()
    why = line.why_no_port(port) if failed is not None else None
    if why is not None and why.kind == "no-forwarding":
        raise SmokeError(
            f"the smoke test cannot reach its candidate: {why.message}",
            hint=f"{why.hint}, or set [smoke] enabled = false",
        )
