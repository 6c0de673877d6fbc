"""How many instances there will be, and what waiting costs, in one line. Pure."""

from __future__ import annotations

from shipper.model import Settings
from shipper.model.quantities import show_duration

PLATFORM_MAX = 100
"""Instances of a revision where no maximum is asked for (RevisionScaling.max_instance_count)."""

DEFAULT_CONCURRENCY = 80
"""Requests at once where none is asked for; 1 below one CPU (RevisionTemplate.max_instance_request_concurrency)."""


def scale_line(settings: Settings, started_in: float | None = None) -> str:
    """Such as "0 to 10 instances, scales to zero, 80 requests at once for each; the first request after idle …".

    `started_in`: seconds from start to ready, as the smoke test of what serves measured them.
    """
    scale, cpu = settings.scale, settings.run.cpu
    least, most = scale.min or 0, scale.max or PLATFORM_MAX
    concurrency = scale.concurrency or (1 if cpu is not None and cpu < 1 else DEFAULT_CONCURRENCY)
    at_once = "1 request" if concurrency == 1 else f"{concurrency} requests"
    idle = scale.cpu_idle if scale.cpu_idle is not None else not settings.run.gpu
    parts = [
        f"{least} to {most} instances",
        *(["scales to zero"] if not least else []),
        f"{at_once} at once for each",
        "CPU during requests only" if idle else "CPU always on",
    ]
    line = ", ".join(parts)
    if least:
        return line
    if started_in is None:
        return f"{line}; the first request after idle waits for the image pull and the start"
    start = f"{show_duration(started_in)} of start, as smoke measured it"
    return f"{line}; the first request after idle pays about {start}, and the image pull"
