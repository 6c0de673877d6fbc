"""A line to a host through the system's ssh client, which is logged in once and then makes calls.

`~/.ssh/config`, agent, known hosts and jumps are the client's business: what works in the user's terminal works here.
It never asks a question, because nobody may be there to answer.
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
from collections.abc import Sequence
from pathlib import Path

from shipper.processes.errors import TimedOut
from shipper.processes.runner import run
from shipper.processes.ssh_call import CONNECT, LEAVING, Call, client, environment
from shipper.processes.ssh_failure import SshFailed, no_answer, why_it_ended
from shipper.processes.ssh_host import SshHost

GREETING = 30.0
"""Seconds after which a host that took our call and gave no answer is given up."""

_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
_WHERE = "docker context inspect --format '{{.Endpoints.docker.Host}}'"
_UNIX = "unix://"
_LONGEST_PLACE = 80
"""Characters: a socket's path has at most 104, and ssh puts 17 behind ours while it makes it."""

_numbers = itertools.count()


def is_there() -> bool:
    """Whether this machine has an ssh client."""
    return shutil.which("ssh") is not None


class SshLine:
    """One host. Connects at the first use, and again after the connection was lost; thread-safe.

    The engine's socket there becomes a socket here where the server allows it (10 ms for an exec). Else each
    connection is a call of its own (130 ms), which works wherever the docker command does. A configuration that shares
    connections by itself (ControlPath) is used as it is, with calls: its user may have logged in in a way that we
    cannot repeat.
    """

    def __init__(self, host: SshHost) -> None:
        self.host = host
        self.address = host.name
        """The name or number behind the user's own name for it, known once we were connected."""
        self._lock = threading.Lock()
        self._first: Call | None = None
        self._calls: list[Call] = []
        self._shared: tuple[str, ...] = ()
        self._engine: Path | None = None
        self._sockets: tuple[Path, ...] = ()

    def engine(self) -> tuple[socket.socket, Call | None]:
        """A connection to the engine's API there, with the call that carries it if it has one of its own.

        Raises SshFailed, within GREETING seconds.
        """
        with self._lock:
            self._require_connected()
            if self._engine is not None:
                with contextlib.suppress(OSError):
                    return _connected(self._engine), None
            call = self._call((*self.host.words(), self._docker("system dial-stdio")))
            return call.socket, call

    def engine_here(self) -> Path | None:
        """The engine's socket as a socket of this machine, for other programs; None where the server allows none."""
        with self._lock:
            self._require_connected()
            return self._engine

    def port(self, number: int, given: socket.socket | None = None) -> Call:
        """A call to a TCP port of that host's loopback; `given` becomes its end here. Raises SshFailed."""
        with self._lock:
            self._require_connected()
            return self._call(("-W", f"127.0.0.1:{number}", *self.host.words()), given)

    def why_no_port(self, number: int) -> SshFailed | None:
        """Why such a call ends at once; None when it does not. With a login of its own: a shared one does not say."""
        call = Call(self.host, (*client("INFO"), "-S", "none", "-W", f"127.0.0.1:{number}", *self.host.words()))
        try:
            return call.failure(CONNECT)
        finally:
            call.end()

    def failure(self) -> SshFailed | None:
        """Why the line was lost; None while it stands."""
        first = self._first
        return first.failure(LEAVING) if first is not None else None

    def close(self) -> None:
        """End every call and hang up. A later use connects anew."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        calls, self._calls = self._calls, []
        first, self._first = self._first, None
        for call in (*calls, *([first] if first else [])):
            call.end()
        self._engine = None
        for place in self._sockets:
            place.unlink(missing_ok=True)

    def _call(self, words: Sequence[str], given: socket.socket | None = None) -> Call:
        for ended in [call for call in self._calls if call.ended()]:
            self._calls.remove(ended)
            ended.see_out()
        call = Call(self.host, (*client(), *self._shared, *words), given)
        self._calls.append(call)
        return call

    def _require_connected(self) -> None:
        if self._first is not None and not self._first.ended():
            return
        self._hang_up()
        told = self._configuration()
        self.address = told.get("hostname", self.host.name)
        folder = private_folder() if told.get("controlpath", "none") == "none" else None
        sharing: tuple[str, ...] = ()
        self._shared, self._sockets = (), ()
        if folder is not None:
            name = f"{os.getpid()}-{next(_numbers)}"
            self._sockets = (folder / name, folder / f"{name}-engine")
            sharing = ("-M", "-S", str(folder / name), "-o", "ControlPersist=no")
            self._shared = ("-S", str(folder / name), "-o", "ControlMaster=no")
        first = Call(self.host, (*client(), *sharing, *self.host.words(), self._docker("system dial-stdio")))
        try:
            _greet(first)
        except BaseException:
            first.end()
            raise
        self._first = first
        if folder is not None:
            self._engine = self._bring_here(folder / f"{name}-engine")

    def _bring_here(self, place: Path) -> Path | None:
        """The engine's socket as `place`, proved by its answer; None where that is not possible."""
        there = self.host.socket or self._asked(_WHERE).removeprefix(_UNIX)
        if not there.startswith("/"):
            return None  # its docker command talks to yet another machine
        _forget_dead(place.parent)
        forward = ("-O", "forward", "-L", f"{place}:{there}", *self.host.words())
        with contextlib.suppress(TimedOut, OSError):
            if run((*client(), *self._shared, *forward), env=environment(), timeout=CONNECT).ok and _answers(place):
                return place
        place.unlink(missing_ok=True)
        return None

    def _asked(self, command: str) -> str:
        """What a command there prints, if it can be run at all."""
        with contextlib.suppress(TimedOut):
            words = (*client(), *self._shared, *self.host.words(), command)
            return run(words, env=environment(), timeout=CONNECT).stdout.strip()
        return ""

    def _configuration(self) -> dict[str, str]:
        """What the user's configuration says for this host. Raises SshFailed when it is broken."""
        try:
            told = run(("ssh", "-G", *self.host.words()), env=environment(), timeout=CONNECT)
        except TimedOut as error:
            raise no_answer(self.host, CONNECT) from error
        if not told.ok:
            raise why_it_ended(told.stderr, told.returncode, self.host)
        return dict(line.partition(" ")[::2] for line in told.stdout.splitlines())

    def _docker(self, words: str) -> str:
        """A command there; the docker command of that user knows where the engine is, unless we were told."""
        engine = f"--host {shlex.quote(_UNIX + self.host.socket)} " if self.host.socket else ""
        return f"docker {engine}{words}"


def line_to(host: SshHost) -> SshLine:
    """The one line of this process to a host; it is hung up at exit."""
    with _lines_lock:
        return _lines.setdefault(host, SshLine(host))


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


def _greet(call: Call) -> None:
    """Until the engine says anything at all. The connection stays open afterwards, unused: it carries the others."""
    call.socket.settimeout(GREETING)
    try:
        call.socket.sendall(_PING)
        answered = call.socket.recv(1 << 16)
    except TimeoutError as error:
        raise no_answer(call.host, GREETING) from error
    except OSError:
        answered = b""
    if not answered:
        raise call.failure() or no_answer(call.host, LEAVING)


def _connected(place: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(CONNECT)
        made.connect(str(place))
    except OSError:
        made.close()
        raise
    return made


def _answers(place: Path) -> bool:
    with _connected(place) as made:
        made.sendall(_PING)
        return made.recv(1 << 16).startswith(b"HTTP/1.1 200")


def _forget_dead(folder: Path) -> None:
    """The sockets of processes that were killed: neither we nor ssh could remove them."""
    for place in folder.iterdir():
        try:
            os.kill(int(place.name.partition("-")[0]), 0)
        except (ProcessLookupError, ValueError):
            place.unlink(missing_ok=True)
        except OSError:
            continue  # alive, and somebody else's


_lines: dict[SshHost, SshLine] = {}
_lines_lock = threading.Lock()


def _hang_up_all() -> None:
    for line in tuple(_lines.values()):
        line.close()


atexit.register(_hang_up_all)
