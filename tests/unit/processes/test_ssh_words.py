"""What ssh and docker say at the other end, as a kind of failure and a next step; and addresses."""

from __future__ import annotations

import pytest

from shipper.errors import CredentialsError, UnreachableError, UsageError
from shipper.images.connection import engine_errors
from shipper.processes.ssh_failure import SshFailed, ssh_failure, why_it_ended
from shipper.processes.ssh_host import SshHost, ssh_host
from shipper.targets import Denied, Transient
from shipper_targets.docker.engine import translated

pytestmark = pytest.mark.unit

HOST = SshHost("build.example.com", "me")
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key for build.example.com has changed and you have requested strict checking.
Host key verification failed.
"""
SOCKET = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.45/version": dial unix /var/run/docker.sock: connect: permission denied'
)


@pytest.mark.parametrize(
    ("said", "status", "kind"),
    [
        (CHANGED, 255, "changed-host"),
        ("Host key verification failed.", 255, "unknown-host"),
        ("No ED25519 host key is known for build.example.com and you have requested strict checking.", 255,
         "unknown-host"),
        ("me@build.example.com: Permission denied (publickey,password).", 255, "denied"),
        ("Received disconnect from 192.0.2.7 port 22:2: Too many authentication failures", 255, "denied"),
        ("This account is currently not available.", 1, "denied"),
        (SOCKET, 1, "no-permission"),
        ("bash: line 1: docker: command not found", 127, "no-docker"),
        ("sh: 1: docker: not found", 127, "no-docker"),
        ("bash: docker: Kommando nicht gefunden.", 127, "no-docker"),
        ("docker: 'dial-stdio' is not a docker command.", 1, "no-docker"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", 1,
         "not-running"),
        ("failed to open the raw stream connection: dial unix /x.sock: connect: no such file or directory", 1,
         "not-running"),
        ("channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed", 255,
         "no-forwarding"),
        ("ssh: Could not resolve hostname build.example.com: Name or service not known", 255, "unreachable"),
        ("ssh: connect to host build.example.com port 22: Connection refused", 255, "unreachable"),
        ("kex_exchange_identification: Connection closed by remote host", 255, "unreachable"),
        ("", 255, "unreachable"),
    ],
)  # fmt: skip
def test_what_was_said_tells_what_it_was(said: str, status: int, kind: str) -> None:
    failed = why_it_ended(said, status, HOST)

    assert failed.kind == kind
    assert "me@build.example.com" in failed.message
    assert failed.hint
    assert len(failed.message.splitlines()) == 1


def test_the_last_words_that_are_no_noise_are_shown() -> None:
    said = (
        "Warning: Permanently added 'x' to the list of known hosts.\nssh: connect to host x port 22: No route to host\n"
    )

    assert why_it_ended(said, 255, HOST).message.endswith("ssh: connect to host x port 22: No route to host")
    assert why_it_ended("", 3, HOST).message.endswith("ssh ended with status 3 and said nothing")


@pytest.mark.parametrize(
    ("kind", "platform", "error"),
    [("denied", Denied, CredentialsError), ("unreachable", Transient, UnreachableError)],
)
def test_it_is_found_below_what_the_libraries_made_of_it(
    kind: str, platform: type[Exception], error: type[Exception]
) -> None:
    import requests
    from urllib3.exceptions import ProtocolError

    failed = SshFailed(kind, "the host said no", "ask it nicely")  # type: ignore[arg-type]
    wrapped = requests.ConnectionError(ProtocolError("Connection aborted.", failed))

    assert ssh_failure(wrapped) is failed
    with pytest.raises(platform, match="the host said no"), translated("looking"):
        raise wrapped
    with pytest.raises(error, match="the host said no"), engine_errors("looking"):
        raise wrapped


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ssh://build", SshHost("build")),
        ("ssh://me@Build:2222", SshHost("Build", "me", 2222)),
        ("ssh://me@[2001:db8::1]:22", SshHost("2001:db8::1", "me", 22)),
        ("ssh://build/run/docker.sock", SshHost("build", socket="/run/docker.sock")),
        ("ssh://build/", SshHost("build")),
    ],
)
def test_an_address_is_read_as_the_docker_command_reads_it(url: str, host: SshHost) -> None:
    assert ssh_host(url) == host


@pytest.mark.parametrize("url", ["ssh://", "ssh://host:port", "ssh://host?x=1", "http://host", "ssh://[broken"])
def test_what_is_no_address_is_said_so(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a host"):
        ssh_host(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="has a password in it") as refused:
        ssh_host("ssh://me:hunter2@build")
    assert "hunter2" not in str(refused.value)


def test_a_name_that_looks_like_an_option_stays_a_name() -> None:
    assert SshHost("-oProxyCommand=x").words() == ("--", "-oProxyCommand=x")
