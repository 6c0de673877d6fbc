"""logs: what a revision wrote, the serving one unless another is named."""

from __future__ import annotations

from collections.abc import Iterator

from shipper.errors import PlatformError, UsageError
from shipper.model import Observation, Revision, redact
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
    secrets = workspace.secrets.run()
    try:
        found = _choose(target.observe(), revision)
        for line in target.logs(found, lines=lines, follow=follow):
            yield redact(line, secrets)
    except PlatformError as error:
        raise not_written(error) from error


def _choose(observation: Observation, wanted: str | None) -> Revision:
    if wanted is None and observation.main is not None:
        return observation.main
    for found in observation.revisions:
        if wanted in (found.name, str(found.number), f"#{found.number}"):
            return found
    names = ", ".join(found.name for found in observation.revisions) or "none"
    what = f'no revision "{wanted}"' if wanted else "nothing serves"
    raise UsageError(f"{what} on this target", hint=f"revisions here: {names}")
