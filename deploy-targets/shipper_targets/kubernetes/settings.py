"""`[targets.<name>] kind = "kubernetes"`: one namespace of one cluster, and how services run there."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from shipper.model import Settings, Traits
from shipper.model.quantities import Seconds
from shipper.model.settings import EnvName, Line, Port, RelativePath
from shipper_targets.kubernetes.names import shape_of
from shipper_targets.kubernetes.settings_parts import (
    REACH_UNLESS_SAID,
    Address,
    AutoscaleSettings,
    BaseName,
    ClusterSettings,
    CpuLimit,
    Directory,
    DnsName,
    GatewaySettings,
    GpuResource,
    IngressSettings,
    LabelKey,
    LabelValue,
    Pause,
    PullSecrets,
    ReplicaShare,
    SecuritySettings,
    TmpSize,
    TolerationSettings,
    UnschedulableWindow,
    expected,
)

ROLLING = ("rolling", "recreate")
WEIGHTED = ("all-at-once", "blue-green", "canary")

TRAITS = Traits(
    strategies=(*ROLLING, *WEIGHTED),
    weight_step=1,
    max_sharing=16,
    probes_revisions=True,
    keeps_revisions=True,
    times_starts=True,
    routes_late=True,
    secret_references=("kubernetes",),
    secrets_change_in_place=True,
)
"""The most that the kind can do; a canary needs a Gateway, and other manifests than ours are replaced only."""

ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[A-Z][A-Za-z0-9]{0,62}/)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"),
    expected('a name such as "web" or "Deployment/web"'),
]


class KubernetesSettings(ClusterSettings):
    """How services run in one namespace. What only says how this machine gets there is marked `reach`."""

    name: BaseName | None = Field(
        default=None,
        description="The name of Deployment and Service; <service> in production and <service>-<environment> elsewhere "
        "when absent.",
    )
    adopt: bool = Field(
        default=False, description="Take over a Deployment and Service of this name that shipper did not make."
    )
    force_conflicts: bool = Field(
        default=False, description="Take fields that another field manager owns; the plan names them."
    )

    service_account: DnsName | None = Field(
        default=None, description="An existing ServiceAccount; one of the service's own, without rights, when absent."
    )
    service_account_token: bool = Field(
        default=False, description="Mount the ServiceAccount's token: the service itself asks the API server."
    )
    image_pull_secrets: PullSecrets = ()
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=50, description="Further labels of all objects and pods."
    )
    annotations: dict[LabelKey, Line] = Field(
        default_factory=dict, max_length=50, description="Further annotations of the pods, such as a mesh's."
    )

    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=20, description="Labels that a node must have."
    )
    tolerations: tuple[TolerationSettings, ...] = Field(default=(), max_length=20, description="Taints to put up with.")
    topology_spread: bool = Field(default=True, description="Spread pods over zones and nodes where that is possible.")
    runtime_class: DnsName | None = Field(default=None, description="Such as nvidia or gvisor.")
    priority_class: DnsName | None = Field(default=None, description="Which pods go first when there is no room.")
    unschedulable_window: UnschedulableWindow = 30.0
    gpu_resource: GpuResource = "nvidia.com/gpu"
    cpu_limit: CpuLimit = False
    scratch: tuple[Directory, ...] = Field(
        default=(),
        max_length=10,
        description="Further writable directories besides /tmp, empty in each pod, on the node's disk.",
    )
    tmp_size: TmpSize = 64 * 2**20
    security: SecuritySettings = Field(default_factory=SecuritySettings, description="What pods may do, loosened.")

    max_surge: ReplicaShare = Field(default="25%", description="rolling: pods above the wanted number meanwhile.")
    max_unavailable: ReplicaShare = Field(default=0, description="rolling: pods below the wanted number meanwhile.")
    min_ready: Pause = Field(default=0.0, description="How long a pod must stay ready before it counts.")
    pre_stop: Pause = Field(
        default=5.0,
        description="Before SIGTERM, until every proxy knows that this pod is leaving (the API's own sleep action, "
        "Kubernetes 1.30 or later); 0 for none.",
    )
    pdb: bool = Field(default=True, description="From two pods on, a PodDisruptionBudget: one at a time is evicted.")
    autoscale: AutoscaleSettings = Field(
        default_factory=AutoscaleSettings,
        description="The HorizontalPodAutoscaler, which is there when [scale] max is more than min.",
    )

    service_type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        default="ClusterIP", description="The Service's type."
    )
    service_port: Port = Field(default=80, description="The Service's port.")
    service_annotations: dict[LabelKey, Line] = Field(
        default_factory=dict, max_length=50, description="The Service's annotations, such as a load balancer's."
    )
    ingress: IngressSettings | None = Field(default=None, description="An Ingress in front of the Service.")
    gateway: GatewaySettings | None = Field(
        default=None, description="An HTTPRoute of the Gateway API; a canary needs one."
    )
    address: Address | None = Field(
        default=None,
        description="Where this machine reaches ingress or gateway, when the host name does not lead there.",
        **REACH_UNLESS_SAID,
    )
    reach: Literal["public", "internal"] | None = Field(
        default=None,
        description="Who can ask the address: everybody, or who is inside. public with ingress or gateway, else "
        "internal, when absent.",
    )

    manifests: tuple[RelativePath, ...] = Field(
        default=(),
        max_length=100,
        description="Your own manifests: YAML files, or directories of them, instead of generated ones.",
    )
    manifests_command: tuple[Line, ...] = Field(
        default=(),
        max_length=100,
        description='Your own manifests from the output of a command, run beside shipper.toml, such as ["kubectl", '
        '"kustomize", "overlays/prod"].',
    )
    manifests_env: tuple[EnvName, ...] = Field(
        default=(), max_length=50, description="Variables of this machine that the command gets."
    )
    manifests_timeout: Seconds = Field(default=60.0, description="The longest that the command may take.")
    manifests_workload: ObjectName | None = Field(
        default=None,
        description="Which Deployment runs the service's image, where several do.",
    )
    manifests_url: Address | None = Field(
        default=None,
        description="Where users reach what your own manifests expose, such as https://shop.example.com; asked through "
        "the API server when absent.",
    )
    manifests_cluster_scoped: bool = Field(
        default=False, description="Own manifests may have objects that belong to no namespace, such as ClusterRoles."
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> KubernetesSettings:
        """What excludes each other."""
        self._refuse_both(("ingress", "gateway"), ("manifests", "manifests_command"))
        return self

    @property
    def has_own_manifests(self) -> bool:
        """Whether manifests are the project's own instead of generated."""
        return bool(self.manifests or self.manifests_command)

    @property
    def host(self) -> str | None:
        """The host name of ingress or gateway."""
        if self.gateway is not None:
            return self.gateway.host
        if self.manifests_url is not None:
            return urlsplit(self.manifests_url).hostname
        return self.ingress.host if self.ingress is not None else None


def traits_of(settings: Settings, own: KubernetesSettings) -> Traits:
    """What a target with these settings can do: the shape that the strategy asks for, and what the others cannot."""
    if shape_of(settings.rollout.strategy) == "rolling":
        return TRAITS.model_copy(update={"strategies": ROLLING, "weight_step": None, "max_sharing": 1})
    if own.gateway is None:
        alone = tuple(name for name in WEIGHTED if name != "canary")
        return TRAITS.model_copy(update={"strategies": alone, "weight_step": None, "max_sharing": 1})
    return TRAITS.model_copy(update={"strategies": WEIGHTED})
