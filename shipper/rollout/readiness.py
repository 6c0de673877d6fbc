"""Waiting until a revision is ready, and asking it its golden requests before it gets traffic."""

from __future__ import annotations

import time
from functools import partial

from shipper.errors import Denied, RolloutFailed, Transient
from shipper.model import Dossier, GoldenRequest, HealthSettings, Revision, SmokeSettings
from shipper.model.context import Clock, Reporter
from shipper.rollout.patience import Patience
from shipper.rollout.verify import PATIENCE, REPEATABLE, as_probe, golden_requests, mend, words_of
from shipper.smoke.asking import Answer, Fault, judge
from shipper.targets import Diagnoses, Probes, StreamsLogs, Target

LOOK = 0.2
"""Seconds between two questions to a revision that does not answer as it must yet."""


def wait_until_ready(
    target: Target, revision: Revision, budget: float, report: Reporter, patience: Patience, clock: Clock
) -> None:
    """Follow the revision's progress until it is ready.

    Raises RolloutFailed with the dossier as soon as it can never heal, or after `budget` seconds; and what `patience`
    raises, also while the platform is silent.
    """
    deadline = clock.monotonic() + budget
    reason = "no answer yet"
    steps = patience.read(lambda: iter(target.progress(revision)))
    while (step := patience.read(lambda: next(steps, None))) is not None:
        patience.check()
        if step.state == "ready":
            return
        if step.state == "failed":
            raise _failed(revision, step.dossier or Dossier(cause="failed", reason=step.reason))
        reason = step.reason
        report.progress(f"waiting for {revision.name}: {reason}")
        if clock.monotonic() >= deadline:
            break
    raise _failed(revision, patience.read(lambda: _last_look(target, revision, budget, reason)))


def ask_before_traffic(
    target: Target,
    revision: Revision,
    health: HealthSettings,
    smoke: SmokeSettings,
    report: Reporter,
    patience: Patience,
) -> None:
    """Ask the revision itself its golden requests while it has no traffic, where the target can do that.

    Raises RolloutFailed naming the request that was answered wrongly. Where it is not for us to ask, that is said.
    """
    if not isinstance(target, Probes):
        return
    for number, request in enumerate(golden_requests(health, smoke)):
        report.progress(f"asking {revision.name} before it gets traffic: {request.name}")
        try:
            fault = _until_right(target, revision, request, patience, late=target.traits.routes_late)
        except Denied as error:
            report.remark(f"{revision.name} is not asked before it gets traffic: {error}")
            return
        if fault is not None:
            hint = mend(request, is_first=number == 0)
            dossier = Dossier(cause="bad-answer", reason=f"{request.name}: {fault.problem}", hint=hint)
            dossier = patience.read(partial(_log, target, revision, dossier))
            raise RolloutFailed(
                f"{revision.name} does not answer as it must: {dossier.reason}",
                hint=dossier.hint,
                details=(*words_of(fault.said), *dossier.log_tail),
                cause=dossier.cause,
            )


def _until_right(
    target: Probes, revision: Revision, request: GoldenRequest, patience: Patience, *, late: bool
) -> Fault | None:
    """What is wrong with its answer; a repeatable request is asked again for a while where routes are late."""
    deadline = time.monotonic() + (PATIENCE if late and request.method in REPEATABLE else 0.0)
    while True:
        fault = patience.read(partial(wrong_answer, target, revision, request))
        if fault is None or time.monotonic() >= deadline:
            return fault
        patience.wait(LOOK)


def wrong_answer(target: Probes, revision: Revision, request: GoldenRequest) -> Fault | None:
    """What is wrong with this very revision's answer to a golden request; None when nothing is."""
    try:
        response = target.probe(revision, as_probe(request))
    except Transient as error:
        return Fault("bad-answer", str(error))
    if response.revision is not None and response.revision != revision.name:
        return Fault("bad-answer", f"answered by {response.revision} instead")
    return judge(request, Answer(status=response.status, headers=response.headers, body=response.body))


def _last_look(target: Target, revision: Revision, budget: float, reason: str) -> Dossier:
    """Why it was not ready in time; the target's own diagnosis where it has one."""
    if isinstance(target, Diagnoses):
        found = target.diagnose(revision)
        if found.cause not in ("unknown", "not-ready"):
            return found
        return found.model_copy(update={"reason": f"not ready within {budget:g} s: {found.reason or reason}"})
    return _log(target, revision, Dossier(cause="not-ready", reason=f"not ready within {budget:g} s: {reason}"))


def _log(target: Target, revision: Revision, dossier: Dossier) -> Dossier:
    if dossier.log_tail or not isinstance(target, StreamsLogs):
        return dossier
    return dossier.model_copy(update={"log_tail": tuple(target.logs(revision, lines=40))})


def _failed(revision: Revision, dossier: Dossier) -> RolloutFailed:
    return RolloutFailed(
        f"{revision.name} did not become ready: {dossier.reason}",
        hint=dossier.hint,
        details=dossier.log_tail,
        cause=dossier.cause,
    )
