"""`[targets.<name>] kind = "docker"`: the settings of a Docker host."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shipper.model.settings import HostName, Line, Platform, Port

Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
Subnet = Annotated[str, StringConstraints(pattern=r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.0/24$")]


class DockerSettings(BaseModel):
    """One Docker host: one proxy in front of the service containers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Line | None = Field(
        default=None,
        description="The engine's address; DOCKER_HOST or the current docker context when absent.",
        json_schema_extra={"reach": True},
    )
    port: Port = Field(default=8080, description="The port that the host's one proxy publishes.")
    bind: Annotated[str, StringConstraints(pattern=r"^\d{1,3}(?:\.\d{1,3}){3}$")] = Field(
        default="127.0.0.1", description="The address that the proxy publishes on; 0.0.0.0 for every one."
    )
    route: HostName | None = Field(
        default=None,
        description="The host name that routes to this service; <service>.localhost when absent. "
        "A service that is alone on its host answers to any name.",
    )
    proxy_image: Line = Field(default="haproxy:lts", description="HAProxy 2.6 or later, with bash and flock.")
    namespace: Namespace = Field(
        default="shipper", description="Prefix of the proxy, network, volume and containers on this host."
    )
    subnet: Subnet | None = Field(
        default=None, description="The /24 network of the containers; a free one is chosen when absent."
    )
    platform: Platform | None = Field(default=None, description="The engine's platform, if it is not to be asked.")
