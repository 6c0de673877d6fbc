"""The cable to a network of its own, which leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import needed_or_skipped
from tests.rig import ssh_network
from tests.rig.daemons import wait_until

pytestmark = pytest.mark.integration
REPOSITORY = Path(__file__).resolve().parents[2]

HOLDER = """
import sys
from tests.rig import ssh_network
print(ssh_network.lay(int(sys.argv[1])).name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def apart() -> Iterator[int]:
    """A process in a network of its own."""
    if os.geteuid() != 0:
        needed_or_skipped("a network of its own needs root")
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert wait_until(lambda: _network(process.pid) != _network(os.getpid()), patience=10)
        yield process.pid
        process.kill()


def test_both_ends_and_the_outside_are_reached(apart: int) -> None:
    cable = ssh_network.lay(apart)
    try:
        routes = subprocess.run(
            ["nsenter", f"--target={apart}", "--net", "ip", "route"], capture_output=True, text=True, check=True
        )
        assert f"default via {cable.here}" in routes.stdout
        assert subprocess.run(["ip", "route", "get", cable.there], capture_output=True, timeout=10).returncode == 0
        assert len(_left(cable.name)) == 4  # the interface, its address translation, and a rule for each way
    finally:
        cable.remove()

    assert _left(cable.name) == []


def test_it_goes_when_its_holder_is_killed(apart: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(apart)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        name = holder.stdout.readline().strip()
        during = _left(name)
        holder.send_signal(signal.SIGKILL)

    assert len(during) == 4
    assert wait_until(lambda: not _left(name), patience=10)


def _left(name: str) -> list[str]:
    return [line for line in ssh_network.left_behind() if name in line]


def _network(process: int) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())
