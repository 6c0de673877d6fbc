"""The Kubernetes target's entry point. The official client is imported at a target's first call, not before."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote

from shipper.targets import Target, TargetContext, UsageError, settings_from_url
from shipper_targets.kubernetes.contexts import from_here, placed, require_context
from shipper_targets.kubernetes.names import shape_of
from shipper_targets.kubernetes.settings import TRAITS, KubernetesSettings
from shipper_targets.kubernetes.settings_parts import USUAL_IN_URLS

NEEDS = ("kubernetes", "urllib3", "yaml")
_NOT_IN_URLS = ("context", "namespace")


class KubernetesKind:
    """Implements TargetKind."""

    kind = "kubernetes"
    settings_model = KubernetesSettings
    traits = TRAITS

    def from_url(self, url: str) -> dict[str, Any]:
        """Settings from `kubernetes://context/namespace?name=value`; raises UsageError for anything else."""
        return from_here(
            settings_from_url(
                url,
                KubernetesSettings,
                _place,
                names=[name for name in KubernetesSettings.model_fields if name not in _NOT_IN_URLS],
                usual=USUAL_IN_URLS,
                what="a Kubernetes target",
                form="kubernetes://context/namespace",
            )
        )

    def connect(self, context: TargetContext) -> Target:
        """Lazy: nothing is asked before the first call. The strategy decides the shape.

        Raises UsageError when the extra is not installed, or no context is configured: it lists those that there are.
        """
        from importlib.util import find_spec

        missing = [name for name in NEEDS if find_spec(name) is None]
        if missing:
            raise UsageError(
                f"a kubernetes target needs the Kubernetes client: {missing[0]} is not installed",
                hint='in a checkout of shipper: pip install ".[kubernetes]"',
            )
        own = KubernetesSettings.model_validate(dict(context.own))
        own = own.model_copy(update={"kubeconfig": placed(own.kubeconfig, context.settings.service.root)})
        require_context(own)
        if shape_of(context.settings.rollout.strategy) == "rolling":
            from shipper_targets.kubernetes.rolling import RollingTarget

            return RollingTarget(context, own)
        from shipper_targets.kubernetes.weighted import WeightedTarget

        return WeightedTarget(context, own)


def _place(parts: SplitResult) -> dict[str, Any] | None:
    namespace = parts.path.strip("/")
    if parts.scheme != "kubernetes" or not namespace or "/" in namespace:
        return None
    if not parts.netloc:  # kubernetes:///namespace: the cluster that this machine is a pod of
        return {"in_cluster": True, "namespace": namespace}
    return {"context": unquote(parts.netloc), "namespace": namespace}


kind = KubernetesKind()
