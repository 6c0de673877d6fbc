"""Tables inside the kind's own settings: ingress, gateway, autoscaling, security, tolerations."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from shipper.model.quantities import parse_duration
from shipper.model.settings import HostName, Line, UrlPath


def expected(words: str) -> Any:
    """What a pattern means, for people: shown in error messages and on the reference page."""
    return Field(json_schema_extra={"expected": words})


DnsName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"),
    expected("the name of an object: lower-case letters, digits, hyphens and dots"),
]
LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
    ),
    expected('a name such as "team" or "example.com/team"'),
]
LabelValue = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$"),
    expected("at most 63 letters, digits, dots, hyphens and underscores"),
]
_PERCENT = re.compile(r"(?:[0-9]|[1-9][0-9]|100)%")
_SHARE = 'a number of pods, or a percentage such as "25%"'


def _share(value: Any) -> Any:
    """Before the types are looked at: of a choice of types a mistake would be told twice."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000
    if not is_number and not (isinstance(value, str) and _PERCENT.fullmatch(value)):
        raise ValueError(_SHARE)
    return value


ReplicaShare = Annotated[int | str, BeforeValidator(_share), expected(_SHARE)]
"""A number of pods, or a percentage of those wanted."""

Pause = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=0, le=3600, allow_inf_nan=False, json_schema_extra={"format": "duration"}),
]
"""Seconds as people write them; 0 for none."""


class Closed(BaseModel):
    """Frozen, and without unknown settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IngressSettings(Closed):
    """`[targets.<name>.ingress]`: one host and path that lead to the Service."""

    host: HostName = Field(description="The host name.")
    class_name: DnsName | None = Field(default=None, description="The IngressClass; the cluster's default when absent.")
    path: UrlPath = Field(default="/", description="The path's prefix.")
    tls_secret: DnsName | None = Field(default=None, description="A Secret with the certificate: the address is https.")
    annotations: dict[LabelKey, Line] = Field(default_factory=dict, max_length=50, description="Of the Ingress.")


class GatewaySettings(Closed):
    """`[targets.<name>.gateway]`: an HTTPRoute at an existing Gateway."""

    name: DnsName = Field(description="The Gateway's name.")
    namespace: DnsName | None = Field(default=None, description="The Gateway's namespace; the service's when absent.")
    section: DnsName | None = Field(default=None, description="One of its listeners; every one that fits when absent.")
    hosts: Annotated[tuple[HostName, ...], Field(min_length=1, max_length=16)] = Field(
        description="Host names; the first one is the address."
    )
    path: UrlPath = Field(default="/", description="The path's prefix.")
    tls: bool = Field(default=False, description="The listener speaks TLS: the address is https.")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        default=None, description="The listener's port, when it is not 80 or, with tls, 443."
    )

    @property
    def host(self) -> str:
        """The host name of the address."""
        return self.hosts[0]


class AutoscaleSettings(Closed):
    """`[targets.<name>.autoscale]`: what the HorizontalPodAutoscaler looks at."""

    cpu: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=70, description="Percent of [run] cpu, as an average over the pods."
    )
    memory: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Percent of [run] memory, as an average over the pods."
    )
    stabilize_up: Pause | None = Field(
        default=None, description="The highest wish of this time counts upwards; at once when absent."
    )
    stabilize_down: Pause | None = Field(
        default=None, description="The highest wish of this time counts downwards; 5 minutes when absent."
    )


Capability = Annotated[
    str, StringConstraints(pattern=r"^[A-Z][A-Z_]{1,40}$"), expected('a capability such as "NET_BIND_SERVICE"')
]


class SecuritySettings(Closed):
    """`[targets.<name>.security]`: everything is tight where nothing is said here."""

    run_as_root: bool = Field(default=False, description="The container's user may be root.")
    writable_root: bool = Field(default=False, description="The container's root file system is writable.")
    capabilities: tuple[Capability, ...] = Field(
        default=(), max_length=40, description="Capabilities to add, such as NET_BIND_SERVICE; all others are dropped."
    )
    seccomp: Literal["RuntimeDefault", "Unconfined"] = Field(
        default="RuntimeDefault", description="Which system calls are allowed."
    )
    user: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="The numeric user, when neither [run] user nor the image's USER says one."
    )
    group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="The group that may read secret files; the user's group, else 65532, when absent."
    )


class TolerationSettings(Closed):
    """`[[targets.<name>.tolerations]]`: as Kubernetes has them."""

    key: LabelKey | None = Field(default=None, description="The taint's key; all of them when absent.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="Whether the value has to be the same.")
    value: LabelValue = Field(default="", description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect; all of them when absent."
    )
