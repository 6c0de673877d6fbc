"""A run in a process of its own, which SIGKILL ends at its k-th write: nothing of it does anything more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from multiprocessing.connection import Connection

from shipper.targets.conformance.doom import Doom
from shipper.targets.conformance.rig import Ended, Kill, Place, Run
from shipper.targets.conformance.running import KILLED, run_here


def run_in_child(place: Place, run: Run, kill: Kill) -> Ended:
    """For `KillsProcesses`. `place` must survive pickling, and what it stands for must not be in this process.

    What the run raises that no user may see is raised here, with its traceback as text.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(place, run, kill, sending))
    child.start()
    sending.close()
    ended, writes = _heard(receiving)
    child.join()
    if ended is not None:
        return ended
    if child.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"a run ended with {child.exitcode} and said nothing; it had written {writes}")
    return Ended(code=KILLED, cause="killed", killed=True, writes=tuple(writes))


def _heard(receiving: Connection) -> tuple[Ended | None, list[str]]:
    """What the child told until it was gone: each of its writes, then its end."""
    writes: list[str] = []
    while True:
        try:
            told: str | Ended | RuntimeError = receiving.recv()
        except EOFError:
            return None, writes
        if isinstance(told, RuntimeError):
            raise told
        if isinstance(told, Ended):
            return told, writes
        writes.append(told)


def _run(place: Place, run: Run, kill: Kill, sending: Connection) -> None:
    doom = Doom(kill, dies=lambda: os.kill(os.getpid(), signal.SIGKILL), counted=sending.send)
    try:
        sending.send(run_here(place, run, kill, doom=doom))
    except Exception:  # noqa: BLE001 - it is raised in the parent
        sending.send(RuntimeError(traceback.format_exc()))
