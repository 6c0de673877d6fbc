"""The way to a candidate's port at the other end of ssh."""

from __future__ import annotations

import socket

from shipper.errors import SmokeError
from shipper.processes.ssh import SshLine
from shipper.processes.ssh_doorway import Doorway

_NEWS = 2.0
"""Seconds in which an ssh server says that it forwards nothing."""


def open_doorway(line: SshLine, port: int) -> Doorway:
    """A port here that leads to that one there. Raises SmokeError when the ssh server there forwards no ports,
    SshFailed when it does not answer."""
    why = line.why_no_port(port) if _is_refused(line, port) else None
    if why is not None and why.kind == "no-forwarding":
        raise SmokeError(
            f"the smoke test cannot reach its candidate: {why.message}",
            hint=f"{why.hint}, or set [smoke] enabled = false",
        )
    return Doorway(line, port)


def _is_refused(line: SshLine, port: int) -> bool:
    """Whether such a call ends at once and badly. A candidate that does not listen yet can be the reason as well."""
    call = line.port(port)
    try:
        call.socket.settimeout(_NEWS)
        call.socket.shutdown(socket.SHUT_WR)
        return call.socket.recv(1) == b"" and call.failure() is not None and bool(call.status)
    except OSError:
        return False  # something took the connection, and waits
    finally:
        call.end()
