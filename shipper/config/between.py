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
    if smoke.gpu is not None and smoke.gpu > max([run.gpu, *_gpus_of(environments)]):
        message = f"the smoke test has {smoke.gpu} GPUs, [run] gpu = {run.gpu}: it gets no more than production"
        yield Contradiction(("smoke", "gpu"), message, f"write gpu = {run.gpu} or less, or remove it")


def _secrets_of(environments: Mapping[str, Any]) -> Iterator[str]:
    """Names below `[environments.<any>.run.secrets]`; what is no table there is told elsewhere."""
    for run in _runs_of(environments):
        secrets = run.get("secrets")
        yield from secrets if isinstance(secrets, Mapping) else ()


def _gpus_of(environments: Mapping[str, Any]) -> Iterator[int]:
    """Each `[environments.<any>.run] gpu`; what is no number there is told elsewhere."""
    for run in _runs_of(environments):
        gpus = run.get("gpu")
        yield from [gpus] if isinstance(gpus, int) else ()


def _runs_of(environments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for overlay in environments.values():
        run = overlay.get("run") if isinstance(overlay, Mapping) else None
        if isinstance(run, Mapping):
            yield run
