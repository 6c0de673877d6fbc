"""Naming the process that has a port, from the kernel's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper_targets.docker.ports import listening_process

pytestmark = pytest.mark.unit

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = (
    "   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1\n"
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """One process, nginx with the id 42, that holds the socket 777."""
    (tmp_path / "net").mkdir()
    (tmp_path / "42" / "fd").mkdir(parents=True)
    (tmp_path / "42" / "comm").write_text("nginx\n")
    (tmp_path / "42" / "fd" / "5").symlink_to("socket:[777]")
    (tmp_path / "43").mkdir()  # another user's: its handles are not shown
    return tmp_path


def table(proc: Path, *, port: int = 8080, state: str = "0A", inode: int = 777, name: str = "tcp") -> None:
    (proc / "net" / name).write_text(HEAD + ROW.format(port=port, state=state, inode=inode))


@pytest.mark.parametrize("name", ["tcp", "tcp6"])
def test_the_process_with_the_listening_socket_is_named(proc: Path, name: str) -> None:
    table(proc, name=name)
    assert listening_process(8080, proc) == "nginx (process 42)"


def test_what_cannot_be_told_is_empty(proc: Path) -> None:
    assert listening_process(8080, proc) == "", "no table at all"
    table(proc, state="01")
    assert listening_process(8080, proc) == "", "a connection is no listener"
    table(proc, port=8081)
    assert listening_process(8080, proc) == "", "another port"
    table(proc, inode=778)
    assert listening_process(8080, proc) == "", "the socket of somebody that we may not look at"
