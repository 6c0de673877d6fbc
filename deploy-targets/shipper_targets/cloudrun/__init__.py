"""The Cloud Run target's entry point. Google's libraries are imported at a target's first call, not before."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult

from shipper.targets import Target, TargetContext, UsageError, settings_from_url
from shipper_targets.cloudrun.settings import TRAITS, CloudRunSettings

NEEDS = ("google.cloud.run_v2", "google.auth", "grpc", "requests")


class CloudRunKind:
    """Implements TargetKind."""

    kind = "cloudrun"
    settings_model = CloudRunSettings
    traits = TRAITS

    def from_url(self, url: str) -> dict[str, Any]:
        """Settings from `cloudrun://project/region?name=value`; raises UsageError for anything else.

        Names are those of the kind's own settings that hold one word; `true` and `false` for yes and no.
        """
        return settings_from_url(
            url, CloudRunSettings, _place, names=_IN_URLS, what="a Cloud Run target", form="cloudrun://project/region"
        )

    def connect(self, context: TargetContext) -> Target:
        """Lazy: nothing is asked before the first call. Raises UsageError when the extra is not installed."""
        from importlib.util import find_spec

        try:
            missing = [name for name in NEEDS if find_spec(name) is None]
        except ModuleNotFoundError as error:  # of a parent package
            missing = [error.name or "google"]
        if missing:
            raise UsageError(
                f"a cloudrun target needs Google's libraries: {missing[0]} is not installed",
                hint='in a checkout of shipper: pip install ".[gcp]"',
            )
        from shipper_targets.cloudrun.adapter import CloudRunTarget, ReachableTarget

        own = CloudRunSettings.model_validate(dict(context.own))
        return (CloudRunTarget if own.answers_inside_only else ReachableTarget)(context, own)


_NOT_IN_URLS = ("project", "region", "labels", "network_tags")
_IN_URLS = [name for name in CloudRunSettings.model_fields if name not in _NOT_IN_URLS]


def _place(parts: SplitResult) -> dict[str, Any] | None:
    region = parts.path.strip("/")
    if parts.scheme != "cloudrun" or not parts.netloc or not region or "/" in region:
        return None
    return {"project": parts.netloc, "region": region}


kind = CloudRunKind()
