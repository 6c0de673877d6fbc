"""The docker target's entry point. The engine's SDK is imported when a target connects, not before."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult

from shipper.model import Traits
from shipper.targets import Target, TargetContext, settings_from_url
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
        return settings_from_url(
            url,
            DockerSettings,
            _place,
            names=[name for name in DockerSettings.model_fields if name != "host"],
            what="a docker target",
            form="docker://, ssh://user@host, tcp://host:port or unix:///path",
        )

    def connect(self, context: TargetContext) -> Target:
        """Lazy: nothing is asked before the first call."""
        from shipper_targets.docker.adapter import DockerTarget

        return DockerTarget(context, DockerSettings.model_validate(dict(context.own)))


def _place(parts: SplitResult) -> dict[str, Any] | None:
    """`docker://` names no place: the engine of the docker command."""
    place = f"{parts.netloc}{parts.path.rstrip('/')}"
    if parts.scheme not in SCHEMES or bool(place) == (parts.scheme == "docker"):
        return None
    return {"host": f"{parts.scheme}://{place}"} if place else {}


kind = DockerKind()
