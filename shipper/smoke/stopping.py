"""Whether SIGTERM ends a candidate within its grace, as it must when production replaces it."""

from __future__ import annotations

import time
from typing import NamedTuple

from shipper.smoke.trial import Trial

_ROUND = 0.02  # seconds between two looks at the events


class Stopped(NamedTuple):
    """Seconds from the signal to the end; None when the grace was over before."""

    seconds: float | None
    exit_code: int | None


def stop(trial: Trial) -> Stopped:
    """Send the stop signal and wait for the end, at most `run.stop_grace`. The caller removes what is left."""
    candidate, grace = trial.candidate, trial.run.stop_grace
    trial.report.progress("stopping the candidate")
    begun = time.monotonic()
    candidate.terminate()
    while not candidate.ended():
        trial.cancel.check()
        if time.monotonic() - begun > grace:
            return Stopped(None, None)
        trial.cancel.wait(_ROUND)
    return Stopped(time.monotonic() - begun, candidate.watch.exit_code)
