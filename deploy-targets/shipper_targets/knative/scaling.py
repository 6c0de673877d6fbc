"""How many instances: `[scale]` and the target's `autoscale` as Knative's annotations, and in one line. Pure.

Annotations of the template: on the Service itself the webhook refuses them.
"""

from __future__ import annotations

from collections.abc import Iterator

from shipper.model import Settings
from shipper.model.quantities import show_duration
from shipper_targets.knative.durations import go_duration
from shipper_targets.knative.kinds import AUTOSCALING
from shipper_targets.knative.settings import AutoscaleSettings, KnativeSettings
from shipper_targets.kubernetes.values import Object, text

MIN, MAX = f"{AUTOSCALING}/min-scale", f"{AUTOSCALING}/max-scale"


def annotations_of(settings: Settings, own: KnativeSettings) -> dict[str, str]:
    """Only what is asked for; the rest is the cluster's own (config-autoscaler)."""
    made = dict(_scale(settings))
    return made | {f"{AUTOSCALING}/{name}": value for name, value in _autoscale(own.autoscale)}


def scales_to_zero(settings: Settings, own: KnativeSettings) -> bool:
    """Whether a revision that nobody asks has no instance: as far as the cluster allows it."""
    return not settings.scale.min and own.autoscale.by != "hpa"


def least_of(revision: Object) -> int:
    """The smallest number of instances that it was asked to have; 0 without one."""
    asked = text(revision, "metadata", "annotations", MIN)
    return int(asked) if asked.isdigit() else 0


def scale_line(settings: Settings, own: KnativeSettings, started_in: float | None = None) -> str:
    """Such as "0 to 10 instances, scales to zero, 80 requests at once for each; the first request after idle …".

    `started_in`: seconds from start to ready, as the smoke test measured them.
    """
    scale = settings.scale
    most = f"{scale.max} instances" if scale.max is not None else "any number of instances"
    at_once = "1 request" if scale.concurrency == 1 else f"{scale.concurrency or 'any number of'} requests"
    zero = scales_to_zero(settings, own)
    least = scale.min or (0 if zero else 1)
    parts = [f"{least} to {most}", *(["scales to zero"] if zero else []), f"{at_once} at once for each"]
    line = ", ".join(parts)
    if not zero:
        return line
    if started_in is None:
        return f"{line}; the first request after idle waits for the image pull and the start"
    start = f"{show_duration(started_in)} of start, as smoke measured it"
    return f"{line}; the first request after idle pays about {start}, and the image pull"


def _scale(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.scale.min is not None:
        yield MIN, str(settings.scale.min)
    if settings.scale.max is not None:
        yield MAX, str(settings.scale.max)


def _autoscale(own: AutoscaleSettings) -> Iterator[tuple[str, str]]:
    if own.by is not None:
        yield "class", f"{own.by}.{AUTOSCALING}"
    if own.metric is not None:
        yield "metric", own.metric
    for name, amount in (
        ("target", own.target),
        ("target-utilization-percentage", own.utilization),
        ("target-burst-capacity", own.burst),
        ("panic-window-percentage", own.panic_window),
        ("panic-threshold-percentage", own.panic_threshold),
    ):
        if amount is not None:
            yield name, f"{amount:g}"
    for name, seconds in (
        ("window", own.window),
        ("scale-down-delay", own.scale_down_delay),
        ("scale-to-zero-pod-retention-period", own.keep_last),
    ):
        if seconds is not None:
            yield name, go_duration(seconds)
    for name, count in (("initial-scale", own.initial), ("activation-scale", own.activation)):
        if count is not None:
            yield name, str(count)
