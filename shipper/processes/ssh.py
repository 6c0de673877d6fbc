"""A line to a host through the system's ssh client, which is logged in once and then makes calls.

`~/.ssh/config`, agent, known hosts and jumps are the client's business: what works in the user's terminal works here.
It never asks a question, because nobody may be there to answer. Each call is a child whose standard input and output
are one socket of ours; when we go, however we go, the sockets close and the children end.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shlex
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from shipper.processes.errors import TimedOut
from shipper.processes.runner import run, start
from shipper.processes.ssh_failure import SshFailed, no_answer, why_it_ended
from shipper.processes.ssh_host import SshHost

CONNECT = 15
"""Seconds for the connection, its handshake included; jumps come on top, hence GREETING."""

GREETING = 30.0
"""Seconds after which a host that took our call and gave no answer is given up."""

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
_LONGEST_PLACE = 80
"""Characters: a socket's path has at most 104, and ssh puts 17 behind ours while it makes it."""

_LEAVING = 1.0
"""Seconds that a call gets for its last words when its socket has closed."""

_numbers = itertools.count()


def is_there() -> bool:
    """Whether this machine has an ssh client."""
    return shutil.which("ssh") is not None


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
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            channel = theirs if given is None else given
            self._group = start(args, env=environment, channel=channel.fileno(), errors=self._said.fileno())
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

    def failure(self, patience: float = _LEAVING) -> SshFailed | None:
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
            self.status = self._group.end(_LEAVING)
            self._said.seek(0)
            self._words = self._said.read(1 << 16).decode("utf-8", "replace")
            self._said.close()


class SshLine:
    """One host. Connects at the first call, and again after the connection was lost; thread-safe.

    A configuration that shares connections by itself (ControlPath) is used as it is: its user may have logged in
    in a way that we cannot repeat.
    """

    def __init__(self, host: SshHost) -> None:
        self.host = host
        self.address = host.name
        """The name or number behind the user's own name for it, known once we were connected."""
        self._lock = threading.Lock()
        self._first: Call | None = None
        self._calls: list[Call] = []
        self._shared: tuple[str, ...] = ()

    def engine(self, given: socket.socket | None = None) -> Call:
        """A call to the engine's API there. Raises SshFailed, within GREETING seconds."""
        return self._call((*self.host.words(), self._dial_stdio()), given)

    def port(self, number: int, given: socket.socket | None = None) -> Call:
        """A call to a TCP port of that host's loopback. Raises SshFailed."""
        return self._call(("-W", f"127.0.0.1:{number}", *self.host.words()), given)

    def why_no_port(self, number: int) -> SshFailed | None:
        """Why such a call ends at once; None when it does not. With a login of its own: a shared one does not say."""
        call = Call(self.host, (*_client("INFO"), "-S", "none", "-W", f"127.0.0.1:{number}", *self.host.words()))
        try:
            return call.failure(CONNECT)
        finally:
            call.end()

    def close(self) -> None:
        """End every call and hang up. A later call connects anew."""
        with self._lock:
            calls, self._calls = self._calls, []
            first, self._first = self._first, None
        for call in calls:
            call.end()
        if first is not None:
            first.end()

    def _call(self, words: Sequence[str], given: socket.socket | None = None) -> Call:
        with self._lock:
            if self._first is None or self._first.ended():
                self._first = self._connect()
            for call in [call for call in self._calls if call.ended()]:
                self._calls.remove(call)
                call.see_out()
            call = Call(self.host, (*_client(), *self._shared, *words), given)
            self._calls.append(call)
            return call

    def _connect(self) -> Call:
        """The call that carries the others, proved by an answer of the engine."""
        if self._first is not None:
            self._first.end()
        sharing: tuple[str, ...] = ()
        self._shared = ()
        told = self._configuration()
        self.address = told.get("hostname", self.host.name)
        if told.get("controlpath", "none") == "none" and (folder := private_folder()) is not None:
            place = str(folder / f"{os.getpid()}-{next(_numbers)}")
            sharing = ("-M", "-S", place, "-o", "ControlPersist=no")
            self._shared = ("-S", place, "-o", "ControlMaster=no")
        call = Call(self.host, (*_client(), *sharing, *self.host.words(), self._dial_stdio()))
        try:
            _greet(call)
        except BaseException:
            call.end()
            raise
        return call

    def _configuration(self) -> dict[str, str]:
        """What the user's configuration says for this host. Raises SshFailed when it is broken."""
        try:
            told = run(("ssh", "-G", *self.host.words()), timeout=CONNECT)
        except TimedOut as error:
            raise no_answer(self.host, CONNECT) from error
        if not told.ok:
            raise why_it_ended(told.stderr, told.returncode, self.host)
        return dict(line.partition(" ")[::2] for line in told.stdout.splitlines())

    def _dial_stdio(self) -> str:
        """The command there; the docker command of that user knows where the engine is, unless we were told."""
        engine = f"--host {shlex.quote('unix://' + self.host.socket)} " if self.host.socket else ""
        return f"docker {engine}system dial-stdio"


def line_to(host: SshHost) -> SshLine:
    """The one line of this process to a host; it is hung up at exit."""
    with _lines_lock:
        return _lines.setdefault(host, SshLine(host))


def _client(level: str = "ERROR") -> tuple[str, ...]:
    options = {**_OPTIONS, "LogLevel": level}
    return ("ssh", "-T", *(word for name, value in options.items() for word in ("-o", f"{name}={value}")))


def _greet(call: Call) -> None:
    """Until the engine says anything at all. The connection stays open afterwards, unused: it carries the others."""
    call.socket.settimeout(GREETING)
    try:
        call.socket.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
        answered = call.socket.recv(1 << 16)
    except TimeoutError as error:
        raise no_answer(call.host, GREETING) from error
    except OSError:
        answered = b""
    if not answered:
        raise call.failure() or no_answer(call.host, _LEAVING)


def private_folder() -> Path | None:
    """A folder of this user alone for sockets; None when there is no such place."""
    for base in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - checked below
        folder = Path(base, f"shipper-ssh-{os.getuid()}")
        if len(str(folder)) > _LONGEST_PLACE:
            continue
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if found.st_uid == os.getuid() and found.st_mode & 0o7777777 == 0o040700:
                return folder
    return None


_lines: dict[SshHost, SshLine] = {}
_lines_lock = threading.Lock()


def _hang_up() -> None:
    for line in tuple(_lines.values()):
        line.close()


atexit.register(_hang_up)
