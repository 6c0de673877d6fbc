"""`[image.remote]` and `[image.kubernetes]`: where images are built when that is not the engine at hand.

What may be written is what buildx's drivers can be told (its own option strings separate by comma, semicolon and
equals sign, and quote nothing, so that no value here may hold one): https://docs.docker.com/build/builders/drivers/.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shipper.model.noun import Noun
from shipper.model.quantities import Seconds, Size


def _expected(words: str) -> Any:
    return Field(json_schema_extra={"expected": words})


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?"

Address = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:tcp://(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9a-fA-F:.]{2,45}\]):[0-9]{1,5}"
        r"|ssh://(?:[A-Za-z0-9._][A-Za-z0-9._-]{0,63}@)?[A-Za-z0-9][A-Za-z0-9._-]{0,252}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]{1,255})?)$"
    ),
    _expected('an address such as "tcp://builds.example.com:1234" or "ssh://user@host"'),
]
FilePath = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1024),
    _expected("the path of a file, absolute, below ~/ or relative to shipper.toml"),
]
ServerName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$"), _expected("a host name or an IP address")
]
Context = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=512),
    _expected("the name of a context of the kubeconfig"),
]
Namespace = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"),
    _expected("the name of a namespace: lower-case letters, digits and hyphens"),
]
ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"),
    _expected("the name of an object: lower-case letters, digits, hyphens and dots"),
]
LabelKey = Annotated[
    str, StringConstraints(pattern=f"^{_PREFIX}{_LABEL}$"), _expected('a label such as "example.com/pool"')
]
LabelValue = Annotated[
    str, StringConstraints(pattern=f"^(?:{_LABEL})?$"), _expected("at most 63 letters, digits, dots and hyphens")
]
ImageReference = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,511}$"),
    _expected('an image such as "moby/buildkit:v0.22.0"'),
]


class RemoteBuilder(Noun):
    """A BuildKit that runs already."""

    address: Address = Field(
        description='Where its buildkitd listens, "tcp://host:1234"; or "ssh://user@host" where the command '
        "`buildctl` is on PATH and reaches it."
    )
    ca: FilePath | None = Field(default=None, description="The authority that its certificate is from, as a PEM file.")
    cert: FilePath | None = Field(default=None, description="Our certificate, as a PEM file.")
    key: FilePath | None = Field(default=None, description="The path of its private key, as a PEM file.")
    server_name: ServerName | None = Field(
        default=None, description="The name in its certificate; the address's own when absent."
    )
    insecure: bool = Field(
        default=False,
        description="Without TLS to another host: sources, build secrets and credentials are readable on the way.",
    )
    start_timeout: Seconds = Field(default=30.0, description="How long it may take to answer.")


class Resources(Noun):
    """What one builder asks for, or may use."""

    cpu: Annotated[float, Field(gt=0, le=1024)] | None = Field(default=None, description="Cores.")
    memory: Size | None = Field(default=None, description="Memory.")


class Toleration(Noun):
    """A taint of nodes that builders may run on all the same."""

    key: LabelKey | None = Field(default=None, description="The taint; every one when absent.")
    operator: Literal["Equal", "Exists"] = Field(default="Exists", description="Exists: whatever its value is.")
    value: LabelValue | None = Field(default=None, description="Its value, with Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Its effect; every one when absent."
    )
    seconds: Annotated[int, Field(ge=0, le=10**9)] | None = Field(
        default=None, description="With NoExecute: how long a builder stays."
    )


class KubernetesBuilder(Noun):
    """BuildKit as a Deployment of the cluster, made on first use."""

    context: Context | None = Field(
        default=None,
        description="The context of the kubeconfig, whatever the current one is. Only inside of a cluster there may "
        "be none: then the service account of the pod is used.",
    )
    namespace: Namespace = Field(description="The namespace of the builders; it must be there.")
    kubeconfig: FilePath | None = Field(
        default=None, description="The kubeconfig; that of KUBECONFIG, else ~/.kube/config, when absent."
    )
    replicas: Annotated[int, Field(ge=1, le=100)] = Field(default=1, description="How many builders.")
    requests: Resources = Field(default=Resources(), description="`cpu` and `memory` that each one asks for.")
    limits: Resources = Field(default=Resources(), description="`cpu` and `memory` that each one may use at most.")
    rootless: bool = Field(
        default=False, description="Without privileges; the nodes must allow user namespaces. Else privileged."
    )
    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict,
        description="Labels of the nodes. kubernetes.io/arch is always that of the image's platform.",
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(), max_length=20, description="Tables of `key`, `operator`, `value`, `effect` and `seconds`."
    )
    service_account: ObjectName | None = Field(default=None, description="The service account of the pods.")
    image: ImageReference | None = Field(
        default=None, description="The image of BuildKit; buildx's own (moby/buildkit) when absent."
    )
    load_balance: Literal["sticky", "random"] = Field(
        default="sticky",
        description="sticky: a context is always built by the same one, which has its cache. random: by any.",
    )
    start_timeout: Seconds = Field(default=300.0, description="How long they may take until they are ready.")
