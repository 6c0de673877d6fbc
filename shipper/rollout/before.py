"""The command that is run once in the new image before anything of it gets traffic, such as a migration."""

from __future__ import annotations

import shlex

from shipper.errors import RolloutFailed
from shipper.rollout.attempt import Attempt
from shipper.targets import RunsOnce


def run_before(attempt: Attempt) -> None:
    """`[rollout] before`, to its end. Raises RolloutFailed (20), cause "before", for any exit status but 0.

    What it did stays done whatever becomes of the release: it must suit what serves as well as what comes.
    """
    command, target = attempt.settings.rollout.before, attempt.target
    if command is None or attempt.plan.deployable.origin == "rollback":
        return
    if not isinstance(target, RunsOnce):
        raise TypeError(f"{target.kind} runs no commands, and preflight let it pass")
    shown = shlex.join(command)
    attempt.report.progress(f"running {shown} in the new image")
    # With the grace of a write: cancelled, it is ended, and a run that left it behind at once would leave it at work.
    status = attempt.patience.write(lambda: target.run_once(attempt.release, command))
    attempt.patience.check()
    if status != 0:
        raise RolloutFailed(
            f"{shown} ended with status {status}, before the new release was started",
            hint="its output is above, and in this run's log",
            cause="before",
        )
    attempt.report.remark(f"{shown} was run in the new image")
