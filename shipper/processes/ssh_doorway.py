"""A socket of this machine that leads to something at the other end of a line, for as long as it is open."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from shipper.processes.ssh import Call, SshLine, private_folder
from shipper.processes.ssh_failure import SshFailed

_numbers = itertools.count()


class Doorway:
    """Each connection becomes a call of its own. Nothing outlives `close`, or this process.

    `address` is where it is: "http://127.0.0.1:PORT" or "unix:///path".
    """

    def __init__(self, listener: socket.socket, address: str, lead: Callable[[socket.socket], Call]) -> None:
        self.address = address
        self._listener = listener
        self._lead = lead
        threading.Thread(target=self._receive, name="shipper-doorway", daemon=True).start()

    def close(self) -> None:
        """Take no more connections. Idempotent, from any thread."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not wake who waits in accept
        self._listener.close()
        if self.address.startswith("unix://"):
            Path(self.address.removeprefix("unix://")).unlink(missing_ok=True)

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                # The caller sees a closed connection then, and asks again or tells it.
                with contextlib.suppress(SshFailed), caller:
                    self._lead(caller)


def to_port(line: SshLine, number: int) -> Doorway:
    """To a TCP port of that host's loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    return Doorway(listener, f"http://127.0.0.1:{listener.getsockname()[1]}", lambda caller: line.port(number, caller))


def to_engine(line: SshLine) -> Doorway | None:
    """To the engine's API, for programs that would log in anew for each of their calls. None when there is no place
    for a socket of this user alone."""
    folder = private_folder()
    if folder is None:
        return None
    _forget_dead(folder)
    place = folder / f"engine-{os.getpid()}-{next(_numbers)}"
    place.unlink(missing_ok=True)  # of a killed process that had our number
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen(16)
    return Doorway(listener, f"unix://{place}", line.engine)


def _forget_dead(folder: Path) -> None:
    """The sockets of processes that were killed."""
    for place in folder.glob("engine-*"):
        try:
            os.kill(int(place.name.split("-")[1]), 0)
        except (ProcessLookupError, ValueError):
            place.unlink(missing_ok=True)
        except OSError:
            continue  # alive, and somebody else's
