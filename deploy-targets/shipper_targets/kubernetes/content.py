"""What the target itself adds to a release: part of its fingerprint, so that changing it is a new release. Pure.

Generated manifests follow from `[run]`, `[scale]` and `[health]`, which the fingerprint has, and from the kind's own
settings, of which those count that are in a pod or decide where and how it runs.
"""

from __future__ import annotations

from shipper.model.noun import digest_of
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.source import Source

NOT_CONTENT = frozenset(
    {
        "context", "kubeconfig", "in_cluster", "namespace", "name", "adopt", "force_conflicts", "address", "reach",
        "manifests", "manifests_command", "manifests_env", "manifests_timeout", "manifests_cluster_scoped",
        "unschedulable_window",
    }
)  # fmt: skip
"""Where it is, how it gets there, who may write, how long we wait: elsewhere it is the same content."""


def content_of(own: KubernetesSettings, source: Source | None) -> str:
    """`sha256:<hex>`; empty where everything is as it is by default. Raises ConfigError for unreadable manifests."""
    chosen = own.model_dump(mode="json", exclude=set(NOT_CONTENT), exclude_defaults=True)
    manifests = source.content if source is not None and own.has_own_manifests else ""
    return digest_of({"settings": chosen, "manifests": manifests}) if chosen or manifests else ""
