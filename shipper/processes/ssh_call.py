"""One child of the system's ssh client, whose standard input and output are one socket of ours.

When we go, however we go, the socket closes and the child ends.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Sequence

from shipper.processes.runner import start
from shipper.processes.ssh_failure import SshFailed, why_it_ended
from shipper.processes.ssh_host import SshHost

CONNECT = 15
"""Seconds for the connection, its handshake included; each jump may take as long."""

LEAVING = 1.0
"""Seconds that a call gets for its last words when its socket has closed."""

_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": str(CONNECT),
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "ForwardX11": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
}
_ENVIRONMENT = (
    # What programs named in ~/.ssh/config (ProxyCommand, Match exec) and the client itself go by: names, no secrets.
    *("USER", "LOGNAME", "SHELL", "KRB5CCNAME", "GNUPGHOME"),
    *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "CLOUDSDK_CONFIG"),
)


def client(level: str = "ERROR") -> tuple[str, ...]:
    """The client's command line up to the host. It asks no question; the level is that of its own words."""
    options = {**_OPTIONS, "LogLevel": level}
    return ("ssh", "-T", *(word for name, value in options.items() for word in ("-o", f"{name}={value}")))


def environment() -> dict[str, str]:
    """What the client needs of our environment beyond the allow-list for children."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}


class Call:
    """One child: `socket` is our end of its standard input and output."""

    def __init__(self, host: SshHost, args: Sequence[str], given: socket.socket | None = None) -> None:
        """`given` is to be its input and output: then the other end is somebody else's, and `socket` is closed."""
        self.host = host
        self.socket, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._words = ""
        self.status: int | None = None
        """How the child ended, once it has been seen out."""
        self._ending = threading.Lock()
        try:
            channel = theirs if given is None else given
            self._group = start(args, env=environment(), channel=channel.fileno(), errors=self._said.fileno())
        except BaseException:
            self.socket.close()
            self._said.close()
            raise
        finally:
            theirs.close()
        if given is not None:
            given.close()
            self.socket.close()

    def ended(self) -> bool:
        """Whether the child has ended."""
        return self._group.has_exited()

    def failure(self, patience: float = LEAVING) -> SshFailed | None:
        """Why it ended; None when it has not, `patience` seconds after its socket closed."""
        deadline = time.monotonic() + patience
        while not self.ended():
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.01)
        self.end()
        return why_it_ended(self._words, self.status or 0, self.host)

    def end(self) -> None:
        """Close our end and see the child out. Idempotent, from any thread."""
        self.socket.close()
        self.see_out()

    def see_out(self) -> None:
        """The child ends, or has ended, and its words are kept. What it sent can still be read from `socket`."""
        with self._ending:
            if self._said.closed:
                return
            self.status = self._group.end(LEAVING)
            self._said.seek(0)
            self._words = self._said.read(1 << 16).decode("utf-8", "replace")
            self._said.close()
