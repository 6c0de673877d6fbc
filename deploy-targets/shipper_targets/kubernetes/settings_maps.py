"""`[run.env]` as a ConfigMap, named by its content and immutable: it comes back with the pods that had it. Pure.

Its values reach the container as they are: in a pod's own `env` the text `$(NAME)` would mean another variable.
"""

from __future__ import annotations

from collections.abc import Mapping

from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.names import hashed_name


def env_map(namespace: str, base: str, labels: Mapping[str, str], env: Mapping[str, str]) -> Manifest | None:
    """None without variables."""
    if not env:
        return None
    name = hashed_name(f"{base}-env", [text for pair in sorted(env.items()) for text in pair])
    return Manifest(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
            "immutable": True,
            "data": dict(sorted(env.items())),
        }
    )
