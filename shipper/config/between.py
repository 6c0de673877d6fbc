"""What one section cannot say: sections that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shipper.config.checks import Contradiction
from shipper.config.nearest import did_you_mean
from shipper.model.settings import RunSettings, SmokeSettings


def misfits(run: RunSettings, smoke: SmokeSettings, environments: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Everything wrong between two valid sections; paths are whole. `environments` is the file's table of that name.

    Unnoticed, a stand-in with a slip of the pen would give the smoke test production's own value. One that is written
    for all environments may stand in for a secret that only some of them have.
    """
    known = list(dict.fromkeys([*run.secrets, *_secrets_of(environments)]))
    for name in smoke.secrets:
        if name not in known:
            hint = did_you_mean(name, known, what="secrets") if known else "remove it"
            message = "stands in for nothing: [run.secrets] has no such name"
            yield Contradiction(("smoke", "secrets", name), message, hint)


def _secrets_of(environments: Mapping[str, Any]) -> Iterator[str]:
    """Names below `[environments.<any>.run.secrets]`; what is no table there is told elsewhere."""
    for overlay in environments.values():
        run = overlay.get("run") if isinstance(overlay, Mapping) else None
        secrets = run.get("secrets") if isinstance(run, Mapping) else None
        yield from secrets if isinstance(secrets, Mapping) else ()
