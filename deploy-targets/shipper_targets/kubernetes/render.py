"""A release as manifests: pure, and the same text for the same content.

Only what is written here is ours: drift, plans and pruning look at these fields and objects and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipper.model import Release, Settings
from shipper.model.release import short
from shipper_targets.kubernetes.exposing import ingress_of, route_of
from shipper_targets.kubernetes.labels import VERSION, WORKLOAD, labels_of, selector
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered, rendered
from shipper_targets.kubernetes.names import Shape, base_of, workload_name
from shipper_targets.kubernetes.pod import template_of
from shipper_targets.kubernetes.quantities import seconds_of
from shipper_targets.kubernetes.scaling import hpa_of, is_autoscaled, least_pods, pdb_of
from shipper_targets.kubernetes.services import revision_service, service_of
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.settings_maps import env_map

LEAST_HISTORY = 10
"""ReplicaSets that a Deployment keeps: what an old one has not to make again comes back at once."""


def render(release: Release, own: KubernetesSettings, shape: Shape) -> Rendered:
    """Everything of this release, as if it had all of the traffic. What others need comes first.

    Raises Invalid for a secret's version that is none of Kubernetes'.
    """
    settings = release.settings
    base = base_of(settings, own.name)
    workload = workload_name(base, release, shape)
    common = {**own.labels, **labels_of(settings, base)}
    of_workload = {**common, WORKLOAD: workload}
    account = None if own.service_account else account_of(own, base, common)
    variables = env_map(own.namespace, base, common, settings.run.env)
    split = shape == "weighted" and own.gateway is not None
    made = [
        account,
        variables,
        deployment_of(release, own, base, workload, variables.name if variables else None),
        pdb_of(settings.scale, own, base, of_workload, workload),
        hpa_of(settings.scale, own, of_workload, workload),
        revision_service(own, base, of_workload, workload) if split else None,
        service_of(own, base, common, workload),
        ingress_of(own, base, common),
        route_of(own, base, common, {workload if split else base: 100}),
    ]
    key = Key("apps", "Deployment", own.namespace, workload)
    return rendered((one for one in made if one is not None), key, named_after_release=shape == "weighted")


def deployment_of(
    release: Release, own: KubernetesSettings, base: str, workload: str, env_map_name: str | None
) -> Manifest:
    """The Deployment `workload`. Its template holds nothing that says which release it is of."""
    settings = release.settings
    pods = selector(base, workload)
    version = {VERSION: short(release.main.config_digest)}
    labels = {**own.labels, **labels_of(settings, base), **version, **pods}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": pods},
        "strategy": _strategy(settings, own),
        "progressDeadlineSeconds": seconds_of(settings.rollout.timeout),
        "revisionHistoryLimit": max(LEAST_HISTORY, settings.rollback.releases + 1),
        "template": template_of(release, own, labels, pods, own.service_account or base, env_map_name),
    }
    if own.min_ready:
        spec["minReadySeconds"] = seconds_of(own.min_ready)
    if not is_autoscaled(settings.scale):
        spec["replicas"] = least_pods(settings.scale)
    return Manifest(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": workload, "namespace": own.namespace, "labels": labels},
            "spec": spec,
        }
    )


def account_of(own: KubernetesSettings, base: str, labels: Mapping[str, str]) -> Manifest:
    """A ServiceAccount of the service's own, without rights and without a token in its pods."""
    return Manifest(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": base, "namespace": own.namespace, "labels": dict(labels)},
            "automountServiceAccountToken": False,
        }
    )


def _strategy(settings: Settings, own: KubernetesSettings) -> dict[str, Any]:
    if settings.rollout.strategy == "recreate":
        return {"type": "Recreate"}
    limits = {"maxSurge": own.max_surge, "maxUnavailable": own.max_unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": limits}
