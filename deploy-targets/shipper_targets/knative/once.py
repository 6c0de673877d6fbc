"""A release's pod as a Deployment would have it: for the command that runs once before, and to find room. Pure.

Knative has no Jobs: the command runs as a plain one of Kubernetes, with the revision's image, environment and secrets.
"""

from __future__ import annotations

from typing import Any

from shipper.model import Release
from shipper_targets.knative.container import pod_of
from shipper_targets.knative.kinds import USER_CONTAINER
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.labels import labels_of
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered

_KNATIVES_OWN = ("containerConcurrency", "timeoutSeconds")


def as_deployment(release: Release, own: KnativeSettings, service: str) -> Rendered:
    """Never applied: one pod template, of one instance more than there are. Raises Invalid."""
    spec = {key: value for key, value in pod_of(release, own).items() if key not in _KNATIVES_OWN}
    container: dict[str, Any] = {"name": USER_CONTAINER, **spec["containers"][0]}
    container["env"] = [*container.get("env", []), {"name": "PORT", "value": str(release.settings.run.port)}]
    labels = labels_of(release.settings, service)
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service, "namespace": own.namespace, "labels": labels},
        "spec": {
            "replicas": max(1, release.settings.scale.min or 0),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**own.labels, **labels}},
                "spec": {**spec, "containers": [container]},
            },
        },
    }
    return Rendered((Manifest(body),), Key("apps", "Deployment", own.namespace, service), "")
