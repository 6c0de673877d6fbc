"""Why ssh, or docker at its other end, gave up: told from their own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from shipper.processes.ssh_host import SshHost

Kind = Literal[
    "unknown-host",
    "changed-host",
    "denied",
    "no-docker",
    "no-permission",
    "not-running",
    "no-forwarding",
    "unreachable",
]

_COMMAND_NOT_FOUND = 127


class SshFailed(OSError):
    """`kind` says what it was, `hint` what to do. An OSError, so that HTTP libraries hand it on as one."""

    def __init__(self, kind: Kind, message: str, hint: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.hint = hint

    @property
    def refused(self) -> bool:
        """Whether it is a matter of trust or permission: trying again cannot help."""
        return self.kind not in ("no-docker", "not-running", "unreachable")


@dataclass(frozen=True)
class _Cause:
    """What is said, what it means, and what to do about it; `{host}` is the host."""

    says: re.Pattern[str]
    kind: Kind
    message: str
    hint: str


def _cause(says: str, kind: Kind, message: str, hint: str) -> _Cause:
    return _Cause(re.compile(says, re.IGNORECASE), kind, message, hint)


_NO_DOCKER = _cause(
    r"docker: (?:command )?not found|dial-stdio.{0,3} is not a docker command|unknown command:? .*dial-stdio",
    "no-docker",
    "there is no docker command for {host}, or it is older than 18.09",
    "ssh {host} docker version must work: install Docker there, or correct PATH for logins without a terminal",
)
_CAUSES = (
    _cause(
        r"remote host identification has changed|host key for .* has changed",
        "changed-host",
        "the host key of {host} has changed: it may be another machine",
        "was it set up anew? then ssh-keygen -R its name, and connect once by hand",
    ),
    _cause(
        r"host key verification failed|no .* host key is known for|not found in known_hosts",
        "unknown-host",
        "the host key of {host} is not known here",
        "compare and accept it once by hand: ssh {host}",
    ),
    _cause(
        r"permission denied while trying to connect|dial unix \S+ connect: permission denied",
        "no-permission",
        "{host} may not open the engine's socket there",
        "add that user to the group docker there, or log in as another one",
    ),
    _cause(
        r"cannot connect to the docker daemon|failed to connect to the docker api|is the docker daemon running"
        r"|dial unix \S+ connect: ",
        "not-running",
        "Docker does not run on {host}, or not where its docker command looks",
        "ssh {host} docker version must work: start it there, or set DOCKER_HOST for that user",
    ),
    _cause(
        r"administratively prohibited|forwarding disabled|port forwarding is disabled",
        "no-forwarding",
        "the ssh server of {host} forwards no ports",
        "set AllowTcpForwarding yes in its sshd_config",
    ),
    _cause(
        r"permission denied|too many authentication failures|no more authentication methods"
        r"|account is currently not available|authentication failed",
        "denied",
        "{host} does not let us in: {said}",
        "ssh {host} must work without a question: ssh-add your key, or name it in ~/.ssh/config",
    ),
    _NO_DOCKER,
)
_NOISE = re.compile(r"^(?:mux_client|ControlSocket|Warning: Permanently added|@+$|\*\*)")


def why_it_ended(said: str, status: int, host: SshHost) -> SshFailed:
    """The failure of a call that ended with `status` and said this on its standard error. Pure."""
    for cause in _CAUSES:
        if found := cause.says.search(said):
            return _failed(cause, host, _line_around(said, found.start()))
    if status == _COMMAND_NOT_FOUND:
        return _failed(_NO_DOCKER, host, "")
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    words = lines[-1][:200] if lines else f"ssh ended with status {status} and said nothing"
    return SshFailed("unreachable", f"{host} cannot be reached: {words}", f"does ssh {host} work?")


def no_answer(host: SshHost, seconds: float) -> SshFailed:
    """The failure of a call that was made and never answered."""
    return SshFailed("unreachable", f"{host} did not answer within {seconds:g} s", f"does ssh {host} docker version?")


def ssh_failure(error: BaseException) -> SshFailed | None:
    """The SshFailed at the bottom of an error, however deep an SDK and its HTTP libraries have wrapped it."""
    seen: list[object] = [error]
    for candidate in seen:
        if isinstance(candidate, SshFailed):
            return candidate
        if isinstance(candidate, BaseException) and len(seen) < 100:
            seen += [candidate.__cause__, candidate.__context__, *candidate.args]
    return None


def _failed(cause: _Cause, host: SshHost, said: str) -> SshFailed:
    return SshFailed(cause.kind, cause.message.format(host=host, said=said), cause.hint.format(host=host))


def _line_around(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    return text[start:].splitlines()[0].strip()[:200]
