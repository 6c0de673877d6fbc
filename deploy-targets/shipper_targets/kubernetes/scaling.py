"""How many pods: a number of ours, or a HorizontalPodAutoscaler's business; and how many may be evicted at once. Pure.

Where an HPA owns the count none is ever sent: a release must not take back what load has asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipper.model import ScaleSettings
from shipper_targets.kubernetes.labels import selector
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.quantities import seconds_of
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import Object, mapping, text


def is_autoscaled(scale: ScaleSettings) -> bool:
    """Whether `[scale]` asks for a range."""
    return scale.max is not None and scale.max > least_pods(scale)


def least_pods(scale: ScaleSettings) -> int:
    """The number of pods, or the least of a range."""
    return max(1, scale.min if scale.min is not None else 1)


def hpa_of(scale: ScaleSettings, own: KubernetesSettings, labels: Mapping[str, str], workload: str) -> Manifest | None:
    """The HorizontalPodAutoscaler of one Deployment, under its name; None where the number is fixed."""
    if not is_autoscaled(scale):
        return None
    wanted = own.autoscale
    shares = [("cpu", wanted.cpu), ("memory", wanted.memory)]
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload},
        "minReplicas": least_pods(scale),
        "maxReplicas": scale.max,
        "metrics": [_metric(name, share) for name, share in shares if share is not None],
    }
    windows = [("scaleUp", wanted.stabilize_up), ("scaleDown", wanted.stabilize_down)]
    if behavior := {name: _window(seconds) for name, seconds in windows if seconds is not None}:
        spec["behavior"] = behavior
    return Manifest(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": workload, "namespace": own.namespace, "labels": dict(labels)},
            "spec": spec,
        }
    )


def pdb_of(
    scale: ScaleSettings, own: KubernetesSettings, base: str, labels: Mapping[str, str], workload: str
) -> Manifest | None:
    """One pod at a time may be evicted. None for a single pod: it would only keep its node from being drained."""
    if not own.pdb or least_pods(scale) < 2:
        return None
    return Manifest(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": workload, "namespace": own.namespace, "labels": dict(labels)},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(base, workload)}},
        }
    )


def _metric(resource: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def _window(seconds: float) -> dict[str, int]:
    return {"stabilizationWindowSeconds": seconds_of(seconds) if seconds else 0}


def scales(hpa: Object, kind: str, workload: str) -> bool:
    """Whether a HorizontalPodAutoscaler is that of this workload."""
    target = mapping(hpa, "spec", "scaleTargetRef")
    return (text(target, "kind"), text(target, "name")) == (kind, workload)
