"""`[targets.<name>] kind = "cloudrun"`: one project and region, and how services run there."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from shipper.model import Traits
from shipper.model.quantities import Seconds
from shipper.model.settings import Line

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
    secret_references=("secret-manager",),
)

LONGEST_SERVICE = 39
"""Characters of a service's name: with a tag it may have 46 (firebase/firebase-tools#6137), and a tag is an n and up to
six digits. Without tags it would be 49 (CreateServiceRequest.service_id).
"""

Project = Annotated[str, StringConstraints(pattern=r"^(?:[a-z0-9.-]{1,60}:)?[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+$")]
ServiceId = Annotated[str, StringConstraints(pattern=r"^[a-z](?:[a-z0-9-]{0,47}[a-z0-9])?$")]
Endpoint = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?$")]
Account = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+@[a-z0-9.-]+$")]
LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]
Resource = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,255}$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$")]


class CloudRunSettings(BaseModel):
    """One project and region. What only says how this machine gets there is marked `reach`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: Project = Field(description="The project's id.", json_schema_extra={"locates": True})
    region: Region = Field(description='Such as "europe-west1".', json_schema_extra={"locates": True})
    service: ServiceId | None = Field(
        default=None,
        description="The Cloud Run service's name; <service> in production and <service>-<environment> elsewhere "
        "when absent.",
    )
    access: Literal["public", "authenticated", "internal"] = Field(
        default="authenticated",
        description="Who may ask: everybody (no IAM check), whoever has run.routes.invoke, or only who is inside.",
    )
    ingress: Literal["all", "internal", "internal-and-load-balancing"] | None = Field(
        default=None, description='From where: "all" when absent, "internal" with access = "internal".'
    )
    service_account: Account | None = Field(
        default=None, description="Whom revisions run as; the project's default service account when absent."
    )
    network: Resource | None = Field(default=None, description="Direct VPC egress: the network.")
    subnet: Resource | None = Field(default=None, description="Direct VPC egress: the subnetwork.")
    network_tags: tuple[Tag, ...] = Field(default=(), max_length=64, description="Direct VPC egress: network tags.")
    connector: Resource | None = Field(
        default=None, description="A VPC Access connector (projects/P/locations/R/connectors/C), instead of network."
    )
    egress: Literal["all-traffic", "private-ranges-only"] | None = Field(
        default=None, description="What goes through the VPC; private ranges only when absent."
    )
    execution_environment: Literal["gen1", "gen2"] | None = Field(
        default=None, description="Cloud Run's own choice when absent; gen2 with volumes."
    )
    timeout: Seconds | None = Field(
        default=None, description="The longest that one request may take, at most an hour; 300 s when absent."
    )
    cpu_boost: bool = Field(default=True, description="More CPU while an instance starts.")
    gpu_type: Resource = Field(default="nvidia-l4", description="The accelerator, when [run] gpu asks for one.")
    gpu_zonal_redundancy: bool = Field(default=False, description="Needs a quota of its own, and costs more.")
    min_per: Literal["service", "revision"] = Field(
        default="service",
        description="[scale] min for all revisions together by their traffic, or for each revision that is reachable: "
        "one that has a tag is billed then.",
    )
    readiness_probe: bool = Field(
        default=False,
        description="Also ask [health] path of running instances and take unready ones out (a preview of Cloud Run's).",
    )
    session_affinity: bool = Field(default=False, description="The same client to the same instance, best effort.")
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=50, description="Further labels of service and revisions; billing shows them."
    )
    encryption_key: Resource | None = Field(default=None, description="A key of Cloud KMS for the container's image.")
    endpoint: Endpoint | None = Field(
        default=None,
        description="Where the APIs are, all of them; Google's own when absent. http:// means without TLS: "
        'on this machine, or with credentials = "none".',
        json_schema_extra={"reach": True},
    )
    transport: Literal["grpc", "rest"] = Field(
        default="grpc", description="How the Cloud Run API is spoken to.", json_schema_extra={"reach": True}
    )
    credentials: Literal["default", "none"] = Field(
        default="default",
        validate_default=True,
        description="Application default credentials, or none for an emulator.",
        json_schema_extra={"reach": True},
    )
    impersonate: Account | None = Field(
        default=None,
        description="Act as this service account (needs iam.serviceAccounts.getAccessToken on it).",
        json_schema_extra={"reach": True},
    )
    quota_project: Line | None = Field(
        default=None, description="The project that API calls are counted to.", json_schema_extra={"reach": True}
    )

    @field_validator("credentials")
    @classmethod
    def _tokens_stay_here(cls, chosen: str, found: ValidationInfo) -> str:
        """An access token is never sent to another machine in the clear."""
        endpoint = found.data.get("endpoint") or ""
        url = urlsplit(endpoint)
        if url.scheme == "http" and chosen != "none" and not _is_this_machine(url.hostname or ""):
            raise ValueError(
                f"access tokens would be sent to {endpoint} without TLS: "
                'write https:// there, or credentials = "none" for an emulator'
            )
        return chosen

    @property
    def answers_inside_only(self) -> bool:
        """Whether the service answers inside its network only."""
        return self.access == "internal" or self.ingress not in (None, "all")

    @property
    def asks_who_is_there(self) -> bool:
        """Whether whoever asks the service from here needs an identity token."""
        return self.access == "authenticated" and not self.answers_inside_only


def _is_this_machine(host: str) -> bool:
    """By name or address; a name is never looked up."""
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
