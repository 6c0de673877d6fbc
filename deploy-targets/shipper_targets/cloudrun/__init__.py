"""The Cloud Run target's entry point. Google's libraries are imported at a target's first call, not before."""

from __future__ import annotations

from typing import Any

from shipper.targets import Target, TargetContext, UsageError
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
        from urllib.parse import parse_qsl, urlsplit

        from pydantic import ValidationError

        try:
            parts = urlsplit(url)
            given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise _refused(url, str(error)) from error
        region = parts.path.strip("/")
        if parts.scheme != "cloudrun" or not parts.netloc or not region or "/" in region or parts.fragment:
            raise _refused(url, "")
        if unknown := [name for name in given if name not in _IN_URLS]:
            raise _refused(url, f"it has no setting {unknown[0]}")
        settings: dict[str, Any] = {"project": parts.netloc, "region": region, **given}
        for name in [name for name, value in given.items() if value in ("true", "false")]:
            settings[name] = given[name] == "true"
        try:
            CloudRunSettings.model_validate(settings)
        except ValidationError as error:
            first = error.errors()[0]
            raise _refused(url, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        return settings

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
                hint='pip install "shipper[gcp]"',
            )
        from shipper_targets.cloudrun.adapter import CloudRunTarget

        return CloudRunTarget(context, CloudRunSettings.model_validate(dict(context.own)))


_NOT_IN_URLS = ("project", "region", "labels", "network_tags")
_IN_URLS = [name for name in CloudRunSettings.model_fields if name not in _NOT_IN_URLS]


def _refused(url: str, reason: str) -> UsageError:
    return UsageError(
        f'"{url}" is not an address of a Cloud Run target' + (f": {reason}" if reason else ""),
        hint=f"use cloudrun://project/region, then ?name=value for {', '.join(_IN_URLS)}",
    )


kind = CloudRunKind()
