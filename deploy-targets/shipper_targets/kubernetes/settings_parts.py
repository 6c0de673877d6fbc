"""Tables inside the kind's own settings: ingress, gateway, autoscaling, security, tolerations."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from shipper.model.quantities import Seconds, Size, parse_duration
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
BaseName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$"),
    expected("lower-case letters, digits and hyphens, at most 40, starting with a letter"),
]
NamespaceName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"),
    expected("the name of a namespace: lower-case letters, digits and hyphens"),
]
ResourceName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,200}/[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
    expected('a resource such as "nvidia.com/gpu"'),
]
Address = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[A-Za-z0-9.\[\]:-]+(?::[0-9]{1,5})?$", max_length=300),
    expected('an address such as "http://127.0.0.1:8080"'),
]
Directory = Annotated[
    str, StringConstraints(pattern=r"^/[^\x00-\x1f\x7f:]*$", max_length=1024), expected("an absolute path")
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


REACH: Any = {"json_schema_extra": {"reach": True}}
"""Marks what only says how this machine gets there."""

USUAL_IN_URLS = ("name", "address", "reach", "kubeconfig", "in_cluster")
"""What says which place is meant and how it is reached; the rest is that of the release."""

UNREACHED = (
    'where the name leads nowhere yet, or elsewhere, from this machine: address = "http://…" under the target says '
    'where the cluster answers, and reach = "internal" that it is asked from inside'
)
"""What to do where nobody gets to a service's address from here."""

MISLED = (
    "something answers there, and perhaps not this service: is that the way in that leads to it? "
    "kubectl describe ingress,httproute; an Ingress's class_name is one of kubectl get ingressclass"
)
"""What to do where the answer to the first question at a service's address is wrong."""

REACH_UNLESS_SAID: Any = {"json_schema_extra": {"reach": "unless-said"}}
"""The same, where the way is likely to be the same from another machine that says nothing else."""


class ClusterSettings(Closed):
    """A namespace of a cluster: what the settings of every kind there begin with."""

    context: Line | None = Field(
        default=None,
        description="The kubeconfig's context, whatever its current one is. Needed, except with in_cluster.",
        **REACH,
    )
    kubeconfig: Line | None = Field(
        default=None,
        description="The kubeconfig file, absolute or relative to shipper.toml; KUBECONFIG, else ~/.kube/config, when "
        "absent.",
        **REACH,
    )
    in_cluster: bool = Field(
        default=False, description="This machine is a pod of the cluster: use its service account.", **REACH
    )
    namespace: NamespaceName = Field(description="The namespace. It has to exist.", json_schema_extra={"locates": True})

    @model_validator(mode="after")
    def _one_way_there(self) -> Self:
        self._refuse_both(("context", "in_cluster"))
        return self

    def _refuse_both(self, *pairs: tuple[str, str]) -> None:
        for first, second in pairs:
            if getattr(self, first) and getattr(self, second):
                raise ValueError(f"one of {first} and {second}, not both")


# Settings that mean the same for every kind on a cluster; each has them where it tells of such things.

PullSecrets = Annotated[
    tuple[DnsName, ...],
    Field(max_length=10, description="Secrets of the namespace with which nodes pull the image."),
]
GpuResource = Annotated[ResourceName, Field(description="The resource that [run] gpu counts.")]
CpuLimit = Annotated[
    bool,
    Field(
        description="[run] cpu is a limit too. Without it it is a request: a container may use what is idle, and is "
        "not throttled in the middle of a request."
    ),
]
TmpSize = Annotated[Size, Field(description="The largest that /tmp may be; it counts as memory.")]
UnschedulableWindow = Annotated[
    Seconds,
    Field(description="How long the scheduler may say that no node has room; minutes where an autoscaler adds nodes."),
]


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
    Literal[
        "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN",
        "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
        "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST",
        "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
        "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
        "SYS_TTY_CONFIG", "WAKE_ALARM",
    ],
    expected('a capability of Linux without CAP_, such as "NET_BIND_SERVICE"'),
]  # fmt: skip
"""Source: capabilities(7). A container with one that the kernel does not know is never made."""


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
