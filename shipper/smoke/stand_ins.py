"""What the candidate gets instead of what only a platform has: buckets, claims and ConfigMaps become directories of
this machine, and it does without GPUs that this machine has not. Pure.
"""

from __future__ import annotations

from shipper.errors import ConfigError
from shipper.model import RunSettings, SmokeSettings, Volume

_ON_PLATFORMS = ("pvc:", "configmap:")


def as_tried(run: RunSettings, smoke: SmokeSettings) -> RunSettings:
    """`[run]` with the stand-ins of `[[smoke.volumes]]`, by target, and with the GPUs that `[smoke] gpu` leaves it.

    Raises ConfigError (2) for what only a platform has without one, and for a stand-in of nothing.
    """
    stand_ins = {_place(volume): volume for volume in smoke.volumes}
    if unused := sorted(stand_ins.keys() - {_place(volume) for volume in run.volumes}):
        raise ConfigError(
            f"[[smoke.volumes]] stands in for a volume at {unused[0]}, and [[run.volumes]] has none there",
            hint="correct its target, or remove it",
        )
    volumes = tuple(stand_ins.get(_place(volume), volume) for volume in run.volumes)
    if elsewhere := [volume for volume in volumes if "://" in volume.source or volume.source.startswith(_ON_PLATFORMS)]:
        raise ConfigError(
            f"the smoke test cannot mount {elsewhere[0].source}",
            hint=f'give it a directory: [[smoke.volumes]] source = "…", target = "{elsewhere[0].target}"',
            details=tuple(f"run.volumes: {volume.source} has no stand-in" for volume in elsewhere),
        )
    return run.model_copy(update={"volumes": volumes, "gpu": run.gpu if smoke.gpu is None else min(run.gpu, smoke.gpu)})


def _place(volume: Volume) -> str:
    return "/" + volume.target.strip("/")
