"""`[targets.<name>] kind = "knative"`: a namespace of a cluster with Knative Serving, and how services run there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shipper.model import Traits
from shipper.model.quantities import Seconds
from shipper.model.settings import Line
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.settings_parts import (
    REACH_UNLESS_SAID,
    Address,
    BaseName,
    Closed,
    ClusterSettings,
    CpuLimit,
    Directory,
    DnsName,
    GpuResource,
    LabelKey,
    LabelValue,
    PullSecrets,
    SecuritySettings,
    TmpSize,
    TolerationSettings,
    UnschedulableWindow,
)

TRAITS = Traits(
    strategies=("all-at-once", "blue-green", "canary"),
    weight_step=1,
    max_sharing=16,
    probes_revisions=True,
    first_create_serves=True,
    keeps_revisions=True,
    times_starts=True,
    scales_to_zero=True,
    routes_late=True,
    secret_references=("kubernetes",),
    secrets_change_in_place=True,
)


class AutoscaleSettings(Closed):
    """`[targets.<name>.autoscale]`: what Knative's autoscaler looks at; its own defaults where nothing is said."""

    by: Literal["kpa", "hpa"] | None = Field(
        default=None, description="Knative's own autoscaler, which scales to zero, or Kubernetes' HPA, which does not."
    )
    metric: Literal["concurrency", "rps", "cpu", "memory"] | None = Field(
        default=None, description="kpa: concurrency or rps; hpa: cpu or memory."
    )
    target: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        default=None, description="How much of the metric one instance should have."
    )
    utilization: Annotated[float, Field(ge=1, le=100)] | None = Field(
        default=None, description="Percent of the target that is really aimed at; Knative's own 70 when absent."
    )
    window: Seconds | None = Field(default=None, description="The time that is averaged over, 6 s to an hour.")
    scale_down_delay: Seconds | None = Field(
        default=None, description="How long less load must last before there are fewer instances, at most an hour."
    )
    keep_last: Seconds | None = Field(
        default=None, description="How long the last instance stays at least, at most an hour."
    )
    initial: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="Instances of a new revision until it is ready; 1 when absent."
    )
    activation: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        default=None, description="Instances at once when a revision wakes up."
    )
    burst: Annotated[float, Field(ge=-1, le=1e9)] | None = Field(
        default=None, description="Requests more at once than there is room for, held by the activator; -1: all."
    )
    panic_window: Annotated[float, Field(ge=1, le=100)] | None = Field(
        default=None, description="Percent of the window in which a burst is looked for."
    )
    panic_threshold: Annotated[float, Field(ge=110, le=1000)] | None = Field(
        default=None, description="Percent of the target from which on it is a burst."
    )


_ANOTHER_MEANING = {"address", "reach", "autoscale"}
"""Names that a plain Deployment has, too, for something else."""


class KnativeSettings(ClusterSettings):
    """How services run in one namespace. What only says how this machine gets there is marked `reach`."""

    name: BaseName | None = Field(
        default=None,
        description="The Knative Service's name; <service> in production and <service>-<environment> elsewhere when "
        "absent.",
    )
    visibility: Literal["public", "cluster-local"] = Field(
        default="public", description="Whether the service has an address outside of the cluster."
    )
    address: Address | None = Field(
        default=None,
        description="Where this machine reaches the cluster's ingress, when the service's host name does not lead "
        "there.",
        **REACH_UNLESS_SAID,
    )
    reach: Literal["public", "internal"] | None = Field(
        default=None,
        description="Who can ask the address: everybody, or who is inside. As `visibility` says when absent.",
    )
    service_account: DnsName | None = Field(
        default=None, description="An existing ServiceAccount; the namespace's default, without its token, when absent."
    )
    image_pull_secrets: PullSecrets = ()
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=50, description="Further labels of the Knative Service and of its revisions."
    )
    annotations: dict[LabelKey, Line] = Field(
        default_factory=dict, max_length=50, description="Further annotations of the revisions, such as a mesh's."
    )
    autoscale: AutoscaleSettings = Field(
        default_factory=AutoscaleSettings, description="What the autoscaler looks at, besides [scale]."
    )
    timeout: Seconds | None = Field(
        default=None, description="The longest that one request may take; the cluster's own default when absent."
    )
    http2: bool = Field(
        default=False,
        description="The service speaks HTTP/2 without TLS (h2c), and answers [health] path over HTTP/1.1 too.",
    )
    gpu_resource: GpuResource = "nvidia.com/gpu"
    cpu_limit: CpuLimit = False
    scratch: tuple[Directory, ...] = Field(
        default=(), max_length=10, description="Further writable directories besides /tmp, empty in each instance."
    )
    tmp_size: TmpSize = 64 * 2**20
    security: SecuritySettings = Field(default_factory=SecuritySettings, description="What pods may do, loosened.")
    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict,
        max_length=20,
        description="Labels that a node must have (needs the cluster's feature kubernetes.podspec-nodeselector).",
    )
    tolerations: tuple[TolerationSettings, ...] = Field(
        default=(),
        max_length=20,
        description="Taints to put up with (needs the cluster's feature kubernetes.podspec-tolerations).",
    )
    runtime_class: DnsName | None = Field(
        default=None,
        description="Such as nvidia or gvisor (needs the cluster's feature kubernetes.podspec-runtimeclassname).",
    )
    priority_class: DnsName | None = Field(
        default=None,
        description="Which pods go first when there is no room (needs the cluster's feature "
        "kubernetes.podspec-priorityclassname).",
    )
    unschedulable_window: UnschedulableWindow = 30.0

    @property
    def cluster(self) -> KubernetesSettings:
        """The same place for what the kubernetes adapter does: connection, secrets, pods, volumes."""
        shared = {*KnativeSettings.model_fields} & {*KubernetesSettings.model_fields} - _ANOTHER_MEANING
        same = {name: getattr(self, name) for name in shared}
        return KubernetesSettings(**same, topology_spread=False, pre_stop=0.0)

    @property
    def inside_only(self) -> bool:
        """Whether only who is in the cluster can ask the address."""
        return self.reach == "internal" if self.reach is not None else self.visibility == "cluster-local"
