"""The docker target's entry point. The engine's SDK is imported when a target connects, not before."""

from __future__ import annotations

from typing import Any

from shipper.model import Traits
from shipper.targets import Target, TargetContext, UsageError
from shipper_targets.docker.settings import DockerSettings

SCHEME = "docker://"


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
        """`docker://` is the engine that the docker command would use. Raises UsageError for anything else."""
        if url.rstrip("/") == SCHEME.rstrip("/"):
            return {}
        raise UsageError(
            f'"{url}" is not an address of a docker target',
            hint='use docker:// for the engine of this machine; another engine goes into [targets.NAME] host = "…"',
        )

    def connect(self, context: TargetContext) -> Target:
        """Lazy: nothing is asked before the first call."""
        from shipper_targets.docker.adapter import DockerTarget

        return DockerTarget(context, DockerSettings.model_validate(dict(context.own)))


kind = DockerKind()
