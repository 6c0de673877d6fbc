"""Fetching the facts about a candidate that failed, for the diagnosis."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from shipper.model import Dossier
from shipper.smoke.asking import Answer, health_fault
from shipper.smoke.candidate import Usage
from shipper.smoke.listening import listeners_of
from shipper.smoke.program import program_platform
from shipper.smoke.trial import Trial
from shipper.targets.diagnosis import Facts, diagnose

_NEWS = 0.5  # seconds that the engine's word about a death, or about its cause, may take
_READ_LINES = 200
_NO_USAGE = Usage(None, None, None)


def why_it_failed(trial: Trial, answer: Answer | None = None, start_error: str = "") -> Dossier:
    """The dossier of a candidate that ended, ran out of memory, could not start, or is not ready.

    `answer` is the last one on the readiness path, `start_error` the engine's words when it could not be started.
    """
    candidate = trial.candidate
    if candidate.ran_out_of_memory():
        candidate.watch.wait_for_exit(_NEWS)
    state = candidate.inspect()["State"]
    common = {
        "port": trial.run.port,
        "path": trial.health.path,
        "expected_status": trial.health.status,
        "memory_limit": trial.run.memory,
        "log": trial.log_lines()[-_READ_LINES:],
        "image_platform": trial.image.platform,
        "engine_platform": trial.engine_platform,
        "user": trial.user,
        "waited": time.monotonic() - trial.started,
    }
    if start_error or candidate.ended():
        return diagnose(Facts(**common, **_of_an_ended_one(trial, state, start_error)))
    return diagnose(Facts(**common, **_of_a_running_one(trial, state, answer)))


def _of_an_ended_one(trial: Trial, state: Mapping[str, Any], start_error: str) -> dict[str, Any]:
    told = trial.candidate.watch.exit_code
    exit_code = told if told is not None else state.get("ExitCode")
    return {
        "running": False,
        "exit_code": exit_code,
        "out_of_memory": _ended_by_memory(trial, exit_code, state, start_error),
        "program_platform": program_platform(trial.candidate) if _not_executed(exit_code) else None,
        "start_error": trial.clean(start_error),
    }


def _of_a_running_one(trial: Trial, state: Mapping[str, Any], answer: Answer | None) -> dict[str, Any]:
    usage = trial.candidate.usage() if state.get("Running") else _NO_USAGE
    fault = health_fault(trial.health, answer) if answer is not None else None
    return {
        "out_of_memory": trial.candidate.ran_out_of_memory() or bool(state.get("OOMKilled")),
        "listeners": listeners_of(trial.candidate),
        "last_status": answer.status if answer is not None else None,
        "last_problem": trial.clean(fault.problem) if fault is not None else "",
        "cpu_seconds": usage.cpu_seconds,
        "memory_used": usage.memory,
    }


def _ended_by_memory(trial: Trial, exit_code: int | None, state: Mapping[str, Any], start_error: str) -> bool:
    if state.get("OOMKilled") or trial.candidate.ran_out_of_memory() or "OOM-killed" in start_error:
        return True
    return exit_code == 137 and trial.candidate.watch.wait_for_oom(_NEWS)


def _not_executed(exit_code: int | None) -> bool:
    # What a shell, an init and the engine end with when a program cannot be executed.
    return exit_code in {2, 126, 127, 132, 255}
