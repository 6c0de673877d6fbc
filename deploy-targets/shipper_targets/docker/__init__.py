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

        `docker://` is the engine that the docker command would use. `?namespace=…&port=…&bind=…&route=…` may follow each.
        Raises UsageError for anything else.
        """
        from urllib.parse import parse_qsl, urlsplit

        parts = urlsplit(url)
        place = f"{parts.netloc}{parts.path.rstrip('/')}"
        more = dict(parse_qsl(parts.query))
        known = {"bind", "namespace", "port", "route"}
        port = more.get("port", "1")
        if parts.scheme not in SCHEMES or bool(place) == (parts.scheme == "docker") or not {*more} <= known:
            raise UsageError(
                f'"{url}" is not an address of a docker target',
                hint="use docker://, ssh://user@host, tcp://host:port or unix:///path, then ?namespace=…&port=…",
            )
        if not port.isdigit():
            raise UsageError(f'"{url}" has a port that is no number', hint="use docker://?port=8080")
        settings: dict[str, Any] = {**more, "port": int(port)} if "port" in more else dict(more)
        return settings if not place else {"host": f"{parts.scheme}://{place}", **settings}

    def connect(self, context: TargetContext) -> Target:
        """Lazy: nothing is asked before the first call."""
        from shipper_targets.docker.adapter import DockerTarget

        return DockerTarget(context, DockerSettings.model_validate(dict(context.own)))


kind = DockerKind()
