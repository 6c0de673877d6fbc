"""Whose lease died with its process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shipper.ledger.holders import boot, life_of, this_process

pytestmark = [pytest.mark.unit, pytest.mark.skipif(not boot(), reason="no boot id on this system")]


def test_this_process_is_alive_and_says_who_it_is() -> None:
    me = this_process("run-1", "release")
    assert me.pid == os.getpid()
    assert me.who.endswith(f"@{me.machine}")
    assert life_of(me) == "alive"


def test_a_process_that_ended_is_dead_even_before_it_is_buried() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        theirs = this_process("run-1", "release").model_copy(update={"pid": child.pid, "birth": ""})
        assert life_of(theirs) == "alive"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and a zombie still
        assert life_of(theirs) == "dead"
    assert life_of(theirs) == "dead"


def test_another_process_that_got_its_pid_is_not_it() -> None:
    earlier = this_process("run-1", "release").model_copy(update={"birth": "1"})
    assert life_of(earlier) == "dead"


@pytest.mark.parametrize("where", ["", "another-boot/pid:[1]"])
def test_of_another_boot_or_machine_nothing_is_known(where: str) -> None:
    elsewhere = this_process("run-1", "release").model_copy(update={"boot": where, "pid": 999_999_999})
    assert life_of(elsewhere) == "unknown"
