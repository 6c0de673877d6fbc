"""Conditions, in the words of google.cloud.run_v2.Condition."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from google.cloud import run_v2

State = run_v2.Condition.State
PENDING, DONE, FAILED = (
    State.CONDITION_RECONCILING,
    State.CONDITION_SUCCEEDED,
    State.CONDITION_FAILED,
)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Verdict:
    """How one part of a service stands. `code` and `message` are those of the operation's error, when it failed."""

    state: Literal["pending", "ok", "failed"]
    code: str = ""
    message: str = ""
    reason: str = ""


GOOD = Verdict("ok")
WAITING = Verdict("pending")


def condition(kind: str, state: int, message: str = "", reason: str = "", severity: str = "") -> run_v2.Condition:
    """`reason` is a name of CommonReason or RevisionReason; the message decides which member is set by that."""
    made = run_v2.Condition(type_=kind, state=State(state), message=message, last_transition_time=now())
    if reason in run_v2.Condition.CommonReason.__members__:
        made.reason = run_v2.Condition.CommonReason.__members__[reason]
    elif reason:
        made.revision_reason = run_v2.Condition.RevisionReason.__members__[reason]
    if severity or state == FAILED:
        made.severity = run_v2.Condition.Severity.__members__[severity or "ERROR"]
    return made


def of_verdict(kind: str, verdict: Verdict) -> run_v2.Condition:
    states = {"pending": PENDING, "ok": DONE, "failed": FAILED}
    return condition(kind, states[verdict.state], verdict.message, verdict.reason)


def newer(was: run_v2.Condition, found: run_v2.Condition) -> run_v2.Condition:
    """The condition as it is now, with the time of its last transition: the old one's when nothing changed."""
    if (was.type_, was.state, was.message) == (found.type_, found.state, found.message):
        return was
    return found
