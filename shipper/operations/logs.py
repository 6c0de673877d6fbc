"""logs: what a revision wrote, the serving one unless another is named."""

from __future__ import annotations

from collections.abc import Iterator

from shipper.config import ResolvedSecrets
from shipper.errors import LedgerError, PlatformError, UsageError
from shipper.model import Observation, Revision, redact
from shipper.model.context import Secrets
from shipper.model.secret import Secret
from shipper.operations.ledgers import ledger_of
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_place
from shipper.rollout.platform_errors import not_written
from shipper.targets import StreamsLogs


def logs(where: Where, revision: str | None, *, lines: int, follow: bool) -> Iterator[str]:
    """Lines of the revision's output, redacted. Raises UsageError when there is no such revision."""
    workspace = open_place(where)
    target = workspace.connect()
    if not isinstance(target, StreamsLogs):
        raise UsageError(f"a {target.kind} target does not give logs", hint="look at the platform's own log")
    try:
        found = _choose(target.observe(), revision, workspace)
        secrets = _to_hide(workspace.secrets)
        for line in target.logs(found, lines=lines, follow=follow):
            yield redact(line, secrets)
    except PlatformError as error:
        raise not_written(error) from error


def _to_hide(secrets: Secrets) -> tuple[Secret, ...]:
    """Every value that can be had here; what cannot be read, such as for want of a permission, is shown as it is."""
    return secrets.readable() if isinstance(secrets, ResolvedSecrets) else secrets.run()


def _choose(observation: Observation, wanted: str | None, workspace: Workspace) -> Revision:
    if wanted is None and observation.main is not None:
        return observation.main
    for found in observation.revisions:
        if wanted in (found.name, str(found.number), f"#{found.number}"):
            return found
    names = ", ".join(found.name for found in observation.revisions) or "none"
    if ended := _ended(wanted, workspace):
        raise UsageError(ended, hint=f"its last lines are in the log of its run; revisions here: {names}")
    what = f'no revision "{wanted}"' if wanted else "nothing serves"
    raise UsageError(f"{what} on this target", hint=f"revisions here: {names}")


def _ended(wanted: str | None, workspace: Workspace) -> str:
    """Of a release whose revision is gone: how it ended, and which run has its last lines; "" for no such release."""
    digits = (wanted or "").removeprefix("#")
    if not digits.isdecimal():
        return ""
    try:
        line = next((line for line in ledger_of(workspace).history() if line.number == int(digits)), None)
    except LedgerError:
        return ""
    if line is None:
        return ""
    cause, who = f" ({line.cause})" if line.cause else "", f" of {line.who}" if line.who else ""
    return f"release #{line.number} {line.outcome}{cause}, and its revision is not here: run {line.run}{who}"
