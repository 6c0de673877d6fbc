"""logs: what a revision wrote, the serving one unless another is named."""

from __future__ import annotations

from collections.abc import Iterator

from shipper.config import ResolvedSecrets
from shipper.errors import PlatformError, UsageError
from shipper.model import Observation, Revision, redact
from shipper.model.context import Secrets
from shipper.model.secret import Secret
from shipper.operations.where import Where
from shipper.operations.workspace import open_place
from shipper.rollout.platform_errors import not_written
from shipper.targets import StreamsLogs


def logs(where: Where, revision: str | None, *, lines: int, follow: bool) -> Iterator[str]:
    """Lines of the revision's output, redacted. Raises UsageError when there is no such revision."""
    workspace = open_place(where)
    target = workspace.connect()
    if not isinstance(target, StreamsLogs):
        raise UsageError(f"a {target.kind} target does not give logs", hint="look at the platform's own log")
    try:
        found = _choose(target.observe(), revision)
        secrets = _to_hide(workspace.secrets)
        for line in target.logs(found, lines=lines, follow=follow):
            yield redact(line, secrets)
    except PlatformError as error:
        raise not_written(error) from error


def _to_hide(secrets: Secrets) -> tuple[Secret, ...]:
    """Every value that can be had here; what cannot be read, such as for want of a permission, is shown as it is."""
    return secrets.readable() if isinstance(secrets, ResolvedSecrets) else secrets.run()


def _choose(observation: Observation, wanted: str | None) -> Revision:
    if wanted is None and observation.main is not None:
        return observation.main
    for found in observation.revisions:
        if wanted in (found.name, str(found.number), f"#{found.number}"):
            return found
    names = ", ".join(found.name for found in observation.revisions) or "none"
    what = f'no revision "{wanted}"' if wanted else "nothing serves"
    raise UsageError(f"{what} on this target", hint=f"revisions here: {names}")
