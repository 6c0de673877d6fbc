"""The Knative target's entry point. The official Kubernetes client is imported at a target's first call, not before."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote

from shipper.targets import Target, TargetContext, UsageError, settings_from_url
from shipper_targets.knative.settings import TRAITS, KnativeSettings
from shipper_targets.kubernetes.contexts import from_here, placed, require_context
from shipper_targets.kubernetes.settings_parts import USUAL_IN_URLS

NEEDS = ("kubernetes", "urllib3", "yaml")
_IN_URLS = (
    "kubeconfig", "in_cluster", "name", "visibility", "address", "reach", "service_account", "timeout", "http2",
    "gpu_resource", "cpu_limit", "tmp_size", "runtime_class", "priority_class", "unschedulable_window",
)  # fmt: skip


class KnativeKind:
    """Implements TargetKind."""

    kind = "knative"
    settings_model = KnativeSettings
    traits = TRAITS

    def from_url(self, url: str) -> dict[str, Any]:
        """Settings from `knative://context/namespace?name=value`; raises UsageError for anything else."""
        return from_here(
            settings_from_url(
                url,
                KnativeSettings,
                _place,
                names=_IN_URLS,
                usual=USUAL_IN_URLS,
                what="a Knative target",
                form="knative://context/namespace",
            )
        )

    def connect(self, context: TargetContext) -> Target:
        """Lazy: nothing is asked before the first call.

        Raises UsageError when the extra is not installed, or no context is configured: it lists those that there are.
        """
        from importlib.util import find_spec

        missing = [name for name in NEEDS if find_spec(name) is None]
        if missing:
            raise UsageError(
                f"a knative target needs the Kubernetes client: {missing[0]} is not installed",
                hint='in a checkout of shipper: pip install ".[kubernetes]"',
            )
        own = KnativeSettings.model_validate(dict(context.own))
        own = own.model_copy(update={"kubeconfig": placed(own.kubeconfig, context.settings.service.root)})
        require_context(own.cluster)
        from shipper_targets.knative.adapter import KnativeTarget

        return KnativeTarget(context, own)


def _place(parts: SplitResult) -> dict[str, Any] | None:
    namespace = parts.path.strip("/")
    if parts.scheme != "knative" or not namespace or "/" in namespace:
        return None
    if not parts.netloc:  # knative:///namespace: the cluster that this machine is a pod of
        return {"in_cluster": True, "namespace": namespace}
    return {"context": unquote(parts.netloc), "namespace": namespace}


kind = KnativeKind()
