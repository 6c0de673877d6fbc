"""The steps of one trial: start, wait until ready, ask, stop."""

from __future__ import annotations

import time

from shipper.model import Dossier, Smoke
from shipper.smoke.examining import why_it_failed
from shipper.smoke.golden import ask_all
from shipper.smoke.readiness import wait_until_ready
from shipper.smoke.report import failure, outcome, remarks
from shipper.smoke.stopping import stop
from shipper.smoke.trial import Trial


def try_candidate(trial: Trial) -> Smoke:
    """Start a candidate that was created, ask it, end it."""
    report, candidate = trial.report, trial.candidate
    report.progress(f"starting, and waiting for {trial.health.path}", 0, trial.health.startup)
    if words := candidate.start():
        return failure(trial.image, why_it_failed(trial, start_error=words))
    ready = wait_until_ready(trial)
    if isinstance(ready, Dossier):
        return failure(trial.image, ready)
    started_in = time.monotonic() - trial.started
    probes, findings = ask_all(trial, ready)
    if candidate.ended() or candidate.ran_out_of_memory():
        return failure(trial.image, _while_asked(why_it_failed(trial)), probes, findings)
    peak = candidate.usage().peak_memory
    stopped = stop(trial)
    log = trial.log_lines()
    if candidate.ran_out_of_memory():
        return failure(trial.image, why_it_failed(trial), probes, findings)
    low = remarks(trial.image, trial.engine_platform, trial.user, log, stopped, trial.run.stop_grace)
    return outcome(
        trial.image, probes, [*findings, *low], started_in=started_in, stopped=stopped, peak_memory=peak, log=log
    )


def _while_asked(dossier: Dossier) -> Dossier:
    return dossier.model_copy(update={"reason": f"was ready, then {dossier.reason}"})
