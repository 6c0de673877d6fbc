"""Commands of `[rollout] before` that a killed run left at work: told as garbage, and ended with it."""

from __future__ import annotations

from shipper.model import Garbage
from shipper.targets import Denied, NotFound
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.job_render import ONCE
from shipper_targets.kubernetes.kinds import JOB
from shipper_targets.kubernetes.values import is_leaving, name_of, text, uid_of

LEFTOVER = "leftover"
_WHY = "a command of [rollout] before, of a run that did not live to end it"


def left_jobs(api: Api, base: str) -> list[Garbage]:
    """Whoever asks holds the lease, so their runs are dead; without it one may be at work. Best effort: none for who
    may not look. Raises Transient.
    """
    try:
        there = api.list(JOB, labels=f"{ONCE}={base}").items
    except (Denied, NotFound):
        return []
    return [Garbage(kind=LEFTOVER, name=name_of(one), why=_WHY) for one in there if not is_leaving(one)]


def end_job(api: Api, name: str, base: str) -> None:
    """With its pods. Gone already is no error. Raises Conflict, Denied, Transient."""
    job = api.find(JOB, name)
    if job is not None and text(job, "metadata", "labels", ONCE) == base:
        api.delete(JOB, name, uid=uid_of(job), propagation="Background")
