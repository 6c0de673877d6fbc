"""What Knative refuses of autoscaling annotations. Pure; values are texts.

Source: knative/serving v0.48 pkg/apis/autoscaling/annotation_validation.go and register.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.durations import seconds_in
from shipper_targets.knative.kinds import AUTOSCALING
from shipper_targets.knative.violations import Path, Violation

KPA, HPA = f"kpa.{AUTOSCALING}", f"hpa.{AUTOSCALING}"
SHORTEST_WINDOW, LONGEST_WINDOW = 6, 3600
_MOST = 2**31 - 1

_WHOLE = re.compile(r"[+-]?[0-9]+")
_ALGORITHMS = ("", "linear", "weightedExponential", "weighted-exponential")
_OLD = {
    "min-scale": "minScale", "max-scale": "maxScale", "initial-scale": "initialScale",
    "scale-down-delay": "scaleDownDelay", "scale-to-zero-pod-retention-period": "scaleToZeroPodRetentionPeriod",
    "target-utilization-percentage": "targetUtilizationPercentage", "target-burst-capacity": "targetBurstCapacity",
    "panic-window-percentage": "panicWindowPercentage", "panic-threshold-percentage": "panicThresholdPercentage",
    "metric-aggregation-algorithm": "metricAggregationAlgorithm", "activation-scale": "activationScale",
}  # fmt: skip
"""Names that annotations had before; they are read still, where the new one is not there."""


def scaling_violations(path: Path, annotations: Mapping[str, str], cluster: Cluster) -> Iterator[Violation]:
    """All of them; `path` is where the annotations are."""
    found = _Found(path, annotations)
    yield from _class(found)
    yield from _instances(found, cluster)
    yield from _shares(found)
    yield from _times(found)
    yield from _metric(found, cluster)
    yield from _initial(found, cluster)


class _Found:
    """Annotations by their short names."""

    def __init__(self, path: Path, annotations: Mapping[str, str]) -> None:
        self._path = path
        self._annotations = annotations

    def get(self, name: str) -> str | None:
        key = self._key(name)
        return self._annotations.get(key)

    def no(self, name: str, message: str, *, by_cluster: bool = False) -> Violation:
        return Violation((*self._path, self._key(name)), message, by_cluster)

    def _key(self, name: str) -> str:
        new, old = (f"{AUTOSCALING}/{one}" for one in (name, _OLD.get(name, name)))
        return new if new in self._annotations or old not in self._annotations else old


def _class(found: _Found) -> Iterator[Violation]:
    chosen = found.get("class")
    if chosen is not None and chosen.endswith(".knative.dev") and chosen not in (KPA, HPA):
        yield found.no("class", f"Knative has no autoscaler {chosen}")
    algorithm = found.get("metric-aggregation-algorithm")
    if chosen == KPA and algorithm is not None and algorithm not in _ALGORITHMS:
        yield found.no("metric-aggregation-algorithm", f"there is no {algorithm}")


def _instances(found: _Found, cluster: Cluster) -> Iterator[Violation]:
    bounds = {}
    for name in ("min-scale", "max-scale"):
        text = found.get(name)
        bounds[name] = _count(text)
        if text is not None and bounds[name] is None:
            yield found.no(name, f'"{text}" is no number of instances')
    least, most = bounds["min-scale"] or 0, bounds["max-scale"] or 0
    if most and most < least:
        yield found.no("min-scale", f"{least} is more than max-scale, which is {most}")
    limit = cluster.most_instances
    if limit and found.get("max-scale") is not None and not 1 <= most <= limit:
        yield found.no("max-scale", f"{most} is not between 1 and {limit}, this cluster's limit", by_cluster=True)
    text = found.get("activation-scale")
    if text is None:
        return
    number = _int(text)
    if number is None:
        yield found.no("activation-scale", f'"{text}" is no number')
    elif number < 2 or number < least or (most and number > most):
        yield found.no("activation-scale", f"{number} is less than 2, or not between min-scale and max-scale")


def _shares(found: _Found) -> Iterator[Violation]:
    for name, low, high in (
        ("panic-window-percentage", 1.0, 100.0),
        ("panic-threshold-percentage", 110.0, 1000.0),
        ("target", 0.01, float("inf")),
        ("target-utilization-percentage", 1.0, 100.0),
        ("target-burst-capacity", 0.0, float("inf")),
    ):
        text = found.get(name)
        number = _float(text) if text is not None else None
        if text is None or (name == "target-burst-capacity" and number == -1):
            continue
        if number is None:
            yield found.no(name, f'"{text}" is no number')
        elif number < low or number > high:
            yield found.no(name, f"{text} is not between {low:g} and {high:g}")


def _times(found: _Found) -> Iterator[Violation]:
    for name, low in (
        ("scale-down-delay", 0),
        ("scale-to-zero-pod-retention-period", 0),
        ("window", SHORTEST_WINDOW),
    ):
        text = found.get(name)
        if text is None:
            continue
        seconds = seconds_in(text)
        if seconds is None:
            yield found.no(name, f'"{text}" is no duration, such as "30s"')
        elif not low <= seconds <= LONGEST_WINDOW:
            yield found.no(name, f"{text} is not between {low} s and an hour")
        elif seconds != round(seconds) and name != "scale-to-zero-pod-retention-period":
            yield found.no(name, f"{text} is not in whole seconds")


def _metric(found: _Found, cluster: Cluster) -> Iterator[Violation]:
    metric, asked = found.get("metric"), found.get("class")
    if metric is None:
        return
    chosen = asked if asked is not None else cluster.autoscaler_class
    if (chosen == KPA and metric not in ("concurrency", "rps")) or (chosen == HPA and not metric):
        words = "concurrency and rps" if chosen == KPA else "cpu, memory and custom ones"
        yield found.no("metric", f'"{metric}" is none of those of {chosen}: {words}', by_cluster=asked is None)


def _initial(found: _Found, cluster: Cluster) -> Iterator[Violation]:
    text = found.get("initial-scale")
    if text is None:
        return
    number = _int(text, bits=64)
    if number is None or number < 0:
        yield found.no("initial-scale", f'"{text}" is no number of instances')
    elif number == 0 and not cluster.starts_at_zero:
        yield found.no("initial-scale", "0 is not allowed by this cluster", by_cluster=True)


def _count(text: str | None) -> int | None:
    number = _int(text) if text is not None else None
    return number if number is not None and number >= 0 else None


def _int(text: str, bits: int = 32) -> int | None:
    """As Go's strconv.ParseInt reads it."""
    if not _WHOLE.fullmatch(text):
        return None
    number = int(text)
    return number if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else None


def _float(text: str) -> float | None:
    try:
        return float(text) if text == text.strip() and "_" not in text else None
    except ValueError:
        return None
