"""Reaching an engine over ssh: one login for everything, and plain words when it cannot be reached."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipper.errors import CredentialsError, ShipperError, UnreachableError, UsageError
from shipper.images.connection import open_client
from shipper.processes import ssh, ssh_call
from shipper.processes.ssh import line_to
from shipper.processes.ssh_host import ssh_host
from shipper.targets import Denied, Transient
from shipper.targets.docker_client import is_local
from shipper_targets.docker.engine import connect
from tests.rig.daemons import wait_until
from tests.rig.ssh_engine import SshEngine

pytestmark = pytest.mark.integration
REPOSITORY = Path(__file__).resolve().parents[3]

HOLDER = """
import os, sys
from shipper.targets.docker_client import docker_client
client = docker_client(sys.argv[1], 60)
events = client.events()
print(client.info()["ID"], flush=True)
sys.stdin.read()
"""


def logins(far: SshEngine) -> int:
    """How often somebody has logged in there, as the server's own log says."""
    return (far.folder / "sshd.log").read_text().count("Accepted publickey")


@pytest.fixture
def serving(far: SshEngine) -> Iterator[Callable[[str], None]]:
    """The ssh server there with other settings, for one test."""
    yield far.serve
    far.serve()


def refusal(address: str) -> ShipperError:
    started = time.monotonic()
    with pytest.raises(ShipperError) as caught:
        open_client(address)
    assert time.monotonic() - started < 20
    return caught.value


def test_it_is_the_engine_at_the_other_end(far: SshEngine) -> None:
    client = open_client(far.url)

    assert client.info()["ID"] == far.docker("info", "--format", "{{.ID}}")
    assert not is_local(client)


def test_a_name_of_the_users_own_configuration_is_an_address(far: SshEngine) -> None:
    assert open_client("ssh://engine").ping()


def test_a_jump_of_the_users_own_configuration_is_made(far: SshEngine) -> None:
    config = far.folder / "home" / ".ssh" / "config"
    kept = config.read_text()
    config.write_text(f"Host behind\n  HostName {far.address}\n  Port 2222\n  User root\n  ProxyJump engine\n{kept}")
    before = logins(far)
    try:
        assert open_client("ssh://behind").ping()
    finally:
        line_to(ssh_host("ssh://behind")).close()
        config.write_text(kept)
    assert logins(far) - before == 2


def test_the_docker_command_s_variable_and_context_lead_there(
    far: SshEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for words in (["create", "far", "--docker", f"host={far.url}"], ["use", "far"]):
        subprocess.run(["docker", "context", *words], check=True, timeout=60, capture_output=True)
    by_context = open_client().info()["ID"]
    monkeypatch.setenv("DOCKER_HOST", far.url)

    assert by_context == open_client().info()["ID"] == far.docker("info", "--format", "{{.ID}}")


def test_a_path_in_the_address_is_the_engine_s_socket_there(far: SshEngine) -> None:
    assert open_client(far.url + far.engine.docker_host.removeprefix("unix://")).ping()
    assert "does not run" in refusal(f"{far.url}/nowhere.sock").message


def test_many_calls_of_many_clients_cost_one_login(far: SshEngine) -> None:
    before = logins(far)

    first, second = open_client(far.url), connect(far.url)
    events = first.events(decode=True)
    made = second.containers.run("python:3.11-slim", ["sleep", "60"], detach=True)
    try:
        said = {made.exec_run(["echo", str(number)]).output for number in range(10)}
        created = next(event for event in events if event["Action"] == "start")
    finally:
        made.remove(force=True)
    assert said == {f"{number}\n".encode() for number in range(10)}
    assert created["Actor"]["ID"] == made.id
    assert logins(far) - before == 1


def test_where_the_server_lends_no_sockets_each_connection_is_a_call(
    far: SshEngine, serving: Callable[[str], None]
) -> None:
    serving("AllowStreamLocalForwarding no")
    client = open_client(far.url)
    before = logins(far)
    made = client.containers.run("python:3.11-slim", ["sleep", "60"], detach=True)
    try:
        assert made.exec_run(["echo", "hello"]).output == b"hello\n"
    finally:
        made.remove(force=True)
    assert line_to(ssh_host(far.url)).engine_here() is None
    assert logins(far) == before


def test_a_connection_that_the_user_shares_is_used_as_it_is(
    far: SshEngine, tmp_path: Path, serving: Callable[[str], None]
) -> None:
    config = far.folder / "home" / ".ssh" / "config"
    kept = config.read_text()
    config.write_text(f"ControlPath {tmp_path}/shared\n{kept}")
    with subprocess.Popen(["ssh", "-M", "-N", "engine"]) as master:
        assert wait_until((tmp_path / "shared").exists, patience=10)
        serving("PubkeyAuthentication no")  # nobody can log in any more
        try:
            assert open_client("ssh://engine").ping()
        finally:
            line_to(ssh_host("ssh://engine")).close()
            config.write_text(kept)
            master.terminate()


def test_a_lost_connection_is_made_again(far: SshEngine) -> None:
    client = open_client(far.url)
    before = logins(far)
    for found in _clients(far):
        os.kill(found, signal.SIGKILL)

    assert wait_until(lambda: not _clients(far), patience=5)
    assert client.ping()
    assert logins(far) - before == 1


def test_nothing_is_left_of_a_process_that_is_killed(far: SshEngine) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, far.url], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        children = _clients(far)
        holder.send_signal(signal.SIGKILL)

    assert children
    assert wait_until(lambda: not _clients(far), patience=10)
    assert open_client(far.url).ping()  # whoever comes next removes the sockets of the dead
    assert not [place for place in Path("/tmp").glob("shipper-ssh-*/*") if place.name.startswith(f"{holder.pid}-")]


def test_an_unknown_host_is_not_trusted(far: SshEngine) -> None:
    known = far.folder / "known_hosts"
    kept = known.read_text()
    known.write_text("")
    try:
        refused = refusal(far.url)
        with pytest.raises(Denied, match="is not known here"):
            connect(far.url)
    finally:
        known.write_text(kept)

    assert isinstance(refused, CredentialsError)
    assert (refused.code, refused.cause) == (32, "unknown-host")
    assert refused.hint == f"compare and accept it once by hand: ssh root@{far.address}"


def test_a_changed_host_key_is_not_trusted(far: SshEngine) -> None:
    far.trust("other_key")
    try:
        refused = refusal(far.url)
    finally:
        far.trust()

    assert (refused.code, refused.cause) == (32, "changed-host")
    assert "it may be another machine" in refused.message


def test_a_key_that_is_not_accepted_is_a_matter_of_permission(far: SshEngine) -> None:
    allowed = far.folder / "authorized_keys"
    kept = allowed.read_text()
    allowed.write_text((far.folder / "other_key.pub").read_text())
    try:
        refused = refusal(far.url)
    finally:
        allowed.write_text(kept)

    assert (refused.code, refused.cause) == (32, "denied")
    assert "Permission denied (publickey)" in refused.message
    assert "ssh-add" in refused.hint


def test_a_host_without_docker_is_said_so(far: SshEngine, serving: Callable[[str], None]) -> None:
    serving('ForceCommand PATH=/nowhere; eval "$SSH_ORIGINAL_COMMAND"')

    refused = refusal(far.url)

    assert (refused.code, refused.cause) == (33, "no-docker")
    assert f"there is no docker command for root@{far.address}" in refused.message


def test_a_host_whose_engine_does_not_run_is_said_so(far: SshEngine, serving: Callable[[str], None]) -> None:
    serving('ForceCommand DOCKER_HOST=unix:///nowhere.sock; eval "$SSH_ORIGINAL_COMMAND"')

    refused = refusal(far.url)

    assert (refused.code, refused.cause) == (33, "not-running")
    with pytest.raises(Transient, match="Docker does not run on"):
        connect(far.url)


def test_a_host_that_refuses_the_connection_is_unreachable(far: SshEngine) -> None:
    refused = refusal(f"ssh://root@{far.address}:1")

    assert isinstance(refused, UnreachableError)
    assert "Connection refused" in refused.message


def test_a_host_that_does_not_exist_is_unreachable(far: SshEngine) -> None:
    refused = refusal("ssh://root@no-such-host.invalid")

    assert refused.code == 33
    assert "no-such-host.invalid" in refused.message


def test_a_host_that_never_answers_is_given_up(far: SshEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ssh_call._OPTIONS, "ConnectTimeout", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused = refusal(f"ssh://root@127.0.0.1:{silent.getsockname()[1]}")

    assert refused.code == 33
    assert "timed out" in refused.message


def test_an_engine_that_never_answers_is_given_up(
    far: SshEngine, serving: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "GREETING", 1.0)
    serving("ForceCommand cat >/dev/null")

    assert "did not answer within 1 s" in refusal(far.url).message


def test_without_an_ssh_client_the_library_of_the_extra_does_it(
    far: SshEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "is_there", lambda: False)
    client = connect("ssh://engine")
    made = client.containers.run("python:3.11-slim", ["sleep", "60"], detach=True)
    try:
        assert made.exec_run(["echo", "hello"]).output == b"hello\n"
    finally:
        made.remove(force=True)
    client.close()

    known = far.folder / "home" / ".ssh" / "known_hosts"
    kept = known.read_text()
    known.write_text("")
    try:
        assert refusal("ssh://engine").cause == "unknown-host"
        far.trust("other_key")
        assert refusal("ssh://engine").cause == "changed-host"
    finally:
        known.write_text(kept)
        far.trust()


def test_without_client_and_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "is_there", lambda: False)
    monkeypatch.setitem(sys.modules, "paramiko", None)

    with pytest.raises(UsageError) as refused:
        open_client("ssh://root@somewhere")
    assert 'pip install ".[ssh]"' in refused.value.hint


def _clients(far: SshEngine) -> list[int]:
    """The ssh processes on this machine that lead there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if words[0].endswith(b"ssh") and far.address.encode() in words and state != "Z":
            found.append(int(entry.name))
    return found


def test_an_address_with_a_password_is_refused() -> None:
    with pytest.raises(UsageError, match="has a password in it"):
        ssh_host("ssh://me:secret@host")
