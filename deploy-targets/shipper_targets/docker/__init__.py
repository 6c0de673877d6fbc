"""The docker target's entry point. The engine's SDK is imported when a target connects, not before."""

from __future__ import annotations

from typing import Any

from shipper.model import Traits
from shipper.targets import Target, TargetContext, UsageError
from shipper_targets.docker.settings import DockerSettings

SCHEMES = ("docker", "ssh", "tcp", "unix")


class DockerKind:
    """Implements TargetKind."""

    kind = "docker"
    settings_model = DockerSettings

    @property
    def traits(self) -> Traits:
        """Known without connecting."""
        from shipper_targets.docker.adapter import TRAITS

        return TRAITS

    def from_url(self, url: str) -> dict[str, Any]:
        """Settings from `docker://`, `unix:///path`, `tcp://host:port` or `ssh://user@host`.

        `docker://` is the engine that the docker command would use. Each may be followed by `?namespace=…&port=…`,
        and by any other of the kind's own settings but `host`. Raises UsageError for anything else.
        """
        from urllib.parse import parse_qsl, urlsplit

        from pydantic import ValidationError

        try:
            parts = urlsplit(url)
            settings: dict[str, Any] = dict(
                parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
            )
        except ValueError as error:
            raise _refused(url, str(error)) from error
        place = f"{parts.netloc}{parts.path.rstrip('/')}"
        if parts.scheme not in SCHEMES or bool(place) == (parts.scheme == "docker") or parts.fragment:
            raise _refused(url, "")
        if unknown := [name for name in settings if name not in DockerSettings.model_fields or name == "host"]:
            raise _refused(url, f"it has no setting {unknown[0]}")
        if settings.get("port", "").isdigit():
            settings["port"] = int(settings["port"])
        if place:
            settings["host"] = f"{parts.scheme}://{place}"
        try:
            DockerSettings.model_validate(settings)
        except ValidationError as error:
            first = error.errors()[0]
            raise _refused(url, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        return settings

    def connect(self, context: TargetContext) -> Target:
        """Lazy: nothing is asked before the first call."""
        from shipper_targets.docker.adapter import DockerTarget

        return DockerTarget(context, DockerSettings.model_validate(dict(context.own)))


def _refused(url: str, reason: str) -> UsageError:
    known = ", ".join(name for name in DockerSettings.model_fields if name != "host")
    return UsageError(
        f'"{url}" is not an address of a docker target' + (f": {reason}" if reason else ""),
        hint=f"use docker://, ssh://user@host, tcp://host:port or unix:///path, then ?name=value for {known}",
    )


kind = DockerKind()
