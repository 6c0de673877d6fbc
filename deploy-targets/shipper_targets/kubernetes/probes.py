"""When a container is ready, and when it is dead: `[health]` as Kubernetes' probes. Pure.

A start-up probe is patient while a model loads; only after it readiness and liveness count. Liveness is there only when
a path for it is configured: a probe that asks a dependency restarts every pod when the dependency is down.
"""

from __future__ import annotations

import math
from typing import Any

from shipper.model import HealthSettings
from shipper_targets.kubernetes.quantities import seconds_of

PORT_NAME = "http"

READY_PERIOD, READY_FAILURES = 5, 3
LIVE_PERIOD, LIVE_FAILURES = 10, 3
FACTOR = 10
"""How much longer than in the smoke test a start may take: a busy node, a cold disk, a throttled CPU."""

SHORTEST_BUDGET = 30
"""Seconds: below this a budget only makes mistakes."""


def probes_of(health: HealthSettings, started_in: float | None) -> dict[str, Any]:
    """The container's probes by the names of their fields."""
    timeout = seconds_of(health.timeout)
    budget = start_budget(health.startup, started_in)
    # Shorter than a try may take: where every try hangs the budget is a longer one, but what is ready is seen at once.
    period = min(10, max(1, budget // 60))
    probes = {
        "startupProbe": _probe(health.path, timeout, period, math.ceil(budget / period)),
        "readinessProbe": _probe(health.path, timeout, max(READY_PERIOD, timeout), READY_FAILURES),
    }
    if health.liveness is not None:
        probes["livenessProbe"] = _probe(health.liveness, timeout, max(LIVE_PERIOD, timeout), LIVE_FAILURES)
    return probes


def start_budget(startup: float, started_in: float | None) -> int:
    """Seconds that a start may take: what the smoke test measured with a wide margin, at most `[health] startup`.

    In powers of two, so that two measurements of one image give one template: another would restart every pod.
    """
    ceiling = seconds_of(startup)
    if started_in is None:
        return ceiling
    wanted = max(SHORTEST_BUDGET, 2 ** math.ceil(math.log2(max(1.0, started_in * FACTOR))))
    return int(min(ceiling, wanted))


def _probe(path: str, timeout: int, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT_NAME, "scheme": "HTTP"},
        "timeoutSeconds": timeout,
        "periodSeconds": period,
        "successThreshold": 1,
        "failureThreshold": failures,
    }
