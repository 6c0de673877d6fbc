"""The resolved configuration of one service in one environment, as frozen slices.

Each stage takes the slices that it needs and nothing else, so that a change in `[smoke]` does not rebuild.
The field descriptions are the reference page (docs/reference/configuration.md) and the JSON Schema.
Limits cited here: engine and registry name rules are the OCI distribution specification's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from shipper.model.builder import KubernetesBuilder, RemoteBuilder
from shipper.model.noun import Noun, Product
from shipper.model.quantities import Seconds, Size


def _expected(words: str) -> Any:
    """What a pattern means, for people: shown in error messages and on the reference page (`shipper.config`)."""
    return Field(json_schema_extra={"expected": words})


Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$"),
    Field(description="Lower-case letters, digits and hyphens, 1 to 40 characters, starting with a letter."),
    _expected("lower-case letters, digits and hyphens, at most 40, starting with a letter"),
]
Line = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=4096),
    _expected("one line of text without control characters"),
]
Text = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", max_length=65536),
    _expected("text without control characters"),
]
Label = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x20\x7f=]+$", max_length=255), _expected("a name without spaces")
]
HeaderName = Annotated[
    str,
    StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=255),
    _expected("an HTTP header name, such as Content-Type"),
]
RelativePath = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1024),
    Field(description="A path inside the repository, relative to shipper.toml."),
    _expected("a path inside the repository, relative to shipper.toml"),
]
EnvName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
    _expected("a name of letters, digits and underscores, not starting with a digit"),
]
_HERE = r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:[^\x00-\x1f\x7f]{1,1024}"
_AT_GOOGLE = r"secret-manager:(?:projects/[a-z0-9.:-]{1,100}/secrets/)?[A-Za-z0-9_-]{1,255}(?:@[A-Za-z0-9_-]{1,63})?"
_IN_KUBERNETES = r"kubernetes:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9._-]{1,253}"
NATIVE_SECRETS = ("secret-manager", "kubernetes")
"""Schemes of references to a platform's own secrets: their values stay with the platform."""
LocalReference = Annotated[
    str,
    StringConstraints(pattern=f"^(?:{_HERE})$"),
    Field(description='Where the value is on the releaser\'s machine: "env:NAME" or "file:PATH".'),
    _expected('a reference: "env:NAME" or "file:PATH"'),
]
SecretReference = Annotated[
    str,
    StringConstraints(pattern=f"^(?:{_HERE}|{_AT_GOOGLE}|{_IN_KUBERNETES})$"),
    Field(
        description='Where the value is: "env:NAME" or "file:PATH" on the releaser\'s machine, or '
        '"secret-manager:NAME@VERSION" with Google Cloud (also projects/P/secrets/NAME; the latest version of now '
        'without @VERSION), "kubernetes:SECRET/KEY" with a Secret of the namespace.'
    ),
    _expected('a reference: "env:NAME", "file:PATH", "secret-manager:NAME@VERSION" or "kubernetes:SECRET/KEY"'),
]
UrlPath = Annotated[
    str,
    StringConstraints(pattern=r"^/[^\x00-\x20\x7f#]*$", max_length=2048),
    _expected('a path that starts with "/", without spaces'),
]
Platform = Annotated[
    str,
    StringConstraints(pattern=r"^linux/[a-z0-9]+(?:/v[0-9]+)?$"),
    _expected('a platform such as "linux/amd64" or "linux/arm64"'),
]
Repository = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$",
        max_length=255,
    ),
    Field(description="Registry, path and name without a tag, such as registry.example.com/team/iris."),
    _expected("registry, path and name without a tag or scheme, in lower case"),
]
HostName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$",
        max_length=253,  # RFC 1035; no look-ahead: pydantic's regular expressions have none
    ),
    _expected("a host name in lower case, such as iris.example.com"),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Severity = Literal["low", "medium", "high", "critical"]


def native_secrets(references: Mapping[str, str]) -> dict[str, str]:
    """Those whose values stay with the platform, name to reference."""
    return {name: text for name, text in references.items() if text.partition(":")[0] in NATIVE_SECRETS}


class ServiceSettings(Product):
    """Who is released where."""

    service: Name = Field(description="The service's name.")
    environment: Name = Field(default="dev", description="The environment: a named overlay on the configuration.")
    root: str = Field(description="Absolute path of the directory that holds shipper.toml.")


class ImageSettings(Product):
    """`[image]`: what is built."""

    dockerfile: RelativePath = Field(default="Dockerfile", description="The Dockerfile.")
    context: RelativePath = Field(default=".", description="The build context.")
    stage: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
            _expected("the name of a stage: letters, digits, dots, hyphens and underscores"),
        ]
        | None
    ) = Field(default=None, description="The stage of the Dockerfile to build; the last one when absent.")
    platform: Platform | None = Field(
        default=None, description="The one platform to build for; the target's own when absent."
    )
    repository: Repository | None = Field(
        default=None,
        description="Where the image is pushed. Without it a docker target needs no registry: "
        "the image stays on the engine, proved by its config digest.",
    )
    build_args: dict[EnvName, Line] = Field(
        default_factory=dict,
        description="Build arguments. They are visible in the image's history: never put a secret here.",
    )
    create_repository: bool = Field(
        default=False,
        description="Create the repository when it is not there (Artifact Registry: immutable tags, and a clean-up "
        "policy in dry run that keeps every way back).",
    )
    secrets: dict[EnvName, LocalReference] = Field(
        default_factory=dict,
        description="Build secrets, as files for `RUN --mount=type=secret,id=NAME`; never in the environment.",
    )
    builder: Literal["docker", "remote", "kubernetes"] = Field(
        default="docker",
        description="Who builds: the engine at hand (or the buildx builder that is selected for it), a BuildKit "
        "elsewhere, or BuildKit in a cluster. The image always comes to the engine, which scans it and tries it out.",
    )
    remote: RemoteBuilder | None = Field(default=None, description='The BuildKit of `builder = "remote"`.')
    kubernetes: KubernetesBuilder | None = Field(
        default=None, description='The BuildKit of `builder = "kubernetes"`: a Deployment, made on first use.'
    )
    cache: Repository | None = Field(
        default=None,
        description="A repository for the build cache alone, which builds read and write: never that of the image. "
        "A cache that cannot be written fails no build.",
    )
    cache_from: tuple[Line, ...] = Field(
        default=(), max_length=20, description='BuildKit cache sources, such as "type=registry,ref=…".'
    )
    cache_to: tuple[Line, ...] = Field(
        default=(),
        max_length=20,
        description="BuildKit cache exports. Inline caches are refused: they change the image.",
    )
    labels: dict[Label, Line] = Field(default_factory=dict, description="Further image labels.")
    max_context: Size = Field(default=100_000_000, description="The largest build context allowed.")
    max_size: Size | None = Field(default=None, description="The largest image allowed (uncompressed layers).")
    timeout: Seconds = Field(default=3600.0, description="The longest that the build may take.")


class Volume(Noun):
    """A read-only directory or file of the host, or a bucket, such as a mounted model."""

    source: Annotated[Line, StringConstraints(min_length=1), _expected("a path on the host")] = Field(
        description="A path on the host, absolute or relative to shipper.toml; on Cloud Run gs://BUCKET/DIRECTORY; on "
        "Kubernetes and Knative pvc:NAME or pvc:NAME/DIRECTORY, and configmap:NAME. For what is no path of this "
        "machine [[smoke.volumes]] says what the smoke test mounts instead."
    )
    target: Annotated[
        str,
        StringConstraints(pattern=r"^/[^\x00-\x1f\x7f:]*$", max_length=1024),
        _expected('an absolute path in the container, such as "/models"'),
    ] = Field(description="Where it appears in the container; always read-only.")


class RunSettings(Product):
    """`[run]`: how the container runs, in the smoke test and in production alike."""

    port: Port = Field(default=8080, description="The port that the service listens on, given to it as PORT.")
    command: tuple[Line, ...] | None = Field(default=None, description="Replaces the image's CMD.")
    env: dict[EnvName, Text] = Field(default_factory=dict, description="Environment variables. Not for secrets.")
    secrets: dict[EnvName, SecretReference] = Field(
        default_factory=dict,
        description="Secrets, mounted as files /run/secrets/NAME that the container's user can read (mode 0600; on "
        "Kubernetes 0440, by its group; on Knative 0444).",
    )
    secrets_as: Literal["files", "environment"] = Field(
        default="files",
        description="environment: each secret is the environment variable NAME, where the target can do that "
        "without showing the value.",
    )
    cpu: Annotated[float, Field(gt=0, le=1024)] | None = Field(
        default=None, description="CPU limit, in cores; on Kubernetes a request, unless cpu_limit = true."
    )
    memory: Size | None = Field(default=None, description="Memory limit; no swap beyond it.")
    gpu: Annotated[int, Field(ge=0, le=64)] = Field(default=0, description="How many GPUs.")
    volumes: tuple[Volume, ...] = Field(default=(), max_length=50, description="Read-only volumes.")
    user: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}(?::[A-Za-z0-9_.-]{1,64})?$"),
            _expected('a user, or user and group, such as "1000:1000"'),
        ]
        | None
    ) = Field(default=None, description="Replaces the image's USER.")
    read_only: bool = Field(default=False, description="Read-only root file system, with a /tmp in memory.")
    init: bool = Field(default=True, description="A small init as PID 1 that forwards signals and reaps children.")
    stop_grace: Seconds = Field(default=10.0, description="From SIGTERM to SIGKILL.")


class ScaleSettings(Product):
    """`[scale]`: how many instances. A docker target runs exactly one container per revision."""

    min: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="The smallest number of instances; the target's own default when absent."
    )
    max: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="The largest number of instances; the target's own default when absent."
    )
    concurrency: Annotated[int, Field(ge=1, le=10000)] | None = Field(
        default=None, description="Requests at once for one instance."
    )
    cpu_idle: bool | None = Field(
        default=None,
        description="Whether an instance has its CPU during requests only, where the target bills that way; the "
        "target's own default when absent.",
    )


class HealthSettings(Product):
    """`[health]`: when the service is ready. Translated into each platform's own probe."""

    path: UrlPath = Field(default="/healthz", description="The readiness path.")
    status: Annotated[int, Field(ge=100, le=599)] = Field(default=200, description="The status that means ready.")
    json_: dict[str, Any] | None = Field(
        default=None,
        alias="json",
        description="Members that the JSON answer must have, with their values: some services always answer 200.",
    )
    liveness: UrlPath | None = Field(default=None, description="The liveness path; none when absent.")
    startup: Seconds = Field(default=60.0, description="The start-up budget: the longest until ready.")
    timeout: Seconds = Field(default=5.0, description="The longest that one probe may take.")

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Expectation(Noun):
    """What a golden request must be answered with."""

    status: Annotated[int, Field(ge=100, le=599)] | None = Field(
        default=None, description="The exact status; any 2xx when absent (any 4xx for a bad request)."
    )
    json_: Any = Field(
        default=None,
        alias="json",
        description="A subset of the JSON answer: objects by member, numbers within `tolerance`, the rest exactly.",
    )
    contains: Text | None = Field(default=None, description="Text that the body contains.")
    headers: dict[HeaderName, Line] = Field(default_factory=dict, description="Headers with their exact values.")
    tolerance: Annotated[float, Field(ge=0, le=1e9)] = Field(
        default=1e-6, description="How far a number in `json` may be off, relative and absolute."
    )

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class GoldenRequest(Noun):
    """One request with a known answer, asked of the candidate and of what serves after a rollout."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=100), _expected("a short name")] = Field(
        description="A short name, shown in reports."
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="The method."
    )
    path: UrlPath = Field(default="/", description="The path with its query.")
    headers: dict[HeaderName, Line] = Field(default_factory=dict, description="Request headers.")
    json_: Any = Field(default=None, alias="json", description="A JSON body.")
    body: Text | None = Field(default=None, description="A text body; not together with `json`.")
    bad: bool = Field(default=False, description="A bad request on purpose: it must be answered with 4xx.")
    expect: Expectation = Field(default_factory=Expectation, description="What must come back.")
    timeout: Seconds = Field(default=10.0, description="The longest until the answer.")
    verify: bool = Field(default=True, description="Also ask what serves after the rollout (safe to repeat).")

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class SmokeSettings(Product):
    """`[smoke]`: the candidate is run as production would run it, and asked."""

    enabled: bool = Field(default=True, description="Off means evidence `skipped`; the policy decides.")
    requests: tuple[GoldenRequest, ...] = Field(default=(), max_length=100, description="Golden requests.")
    secrets: dict[EnvName, LocalReference] = Field(
        default_factory=dict,
        description="Stand-ins for `[run.secrets]` in the smoke test: where production's values are not for this "
        "machine. Without one a platform's own secret is read from the platform.",
    )
    volumes: tuple[Volume, ...] = Field(
        default=(),
        max_length=50,
        description="Stand-ins for `[[run.volumes]]` in the smoke test, by target: a bucket cannot be mounted here.",
    )
    gpu: Annotated[int, Field(ge=0, le=64)] | None = Field(
        default=None,
        description="How many GPUs the candidate gets in the smoke test; as `[run] gpu` when absent. 0: it is tried "
        "without, on the CPU, where this machine has none; the evidence says so.",
    )


class ScanPolicy(Product):
    """`[scan]`: what the gate refuses. Secrets always refuse; a broken scanner is never a pass."""

    enabled: bool = Field(default=True, description="Off means evidence `skipped`; the gate refuses it in production.")
    fail_on: Severity = Field(default="critical", description="Vulnerabilities of this severity and above refuse.")
    fixable_only: bool = Field(default=True, description="Only vulnerabilities that have a fix refuse.")
    fail_on_config: Severity | None = Field(
        default=None,
        description="Misconfigurations of this severity and above refuse; reported only when absent.",
    )
    db_max_age: Seconds = Field(default=7 * 86400.0, description="The oldest vulnerability database that is believed.")
    timeout: Seconds = Field(default=600.0, description="The longest that one scan may take.")


Strategy = Literal["all-at-once", "blue-green", "canary", "recreate", "rolling"]


class GateSettings(Product):
    """`[rollout.gate]`: judged during every bake time; the first gate that fails puts things back."""

    error_rate: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=0.01, description="The largest share of requests that may fail (5xx or no answer) on the new revision."
    )
    latency: Seconds | None = Field(
        default=None, description="The longest that `quantile` of the new revision's requests may take."
    )
    quantile: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.95, description="The quantile for `latency`.")
    min_requests: Annotated[int, Field(ge=0)] = Field(
        default=20,
        description="Below this many requests on the new revision a share or quantile says nothing: our own golden "
        "requests decide then, and the run says so.",
    )
    golden: bool = Field(default=True, description="Ask the golden requests of the new revision again and again.")
    command: tuple[Line, ...] | None = Field(
        default=None,
        max_length=100,
        description="A command that is run at each bake time's end; any status but 0 fails the gate. It gets "
        "SHIPPER_SERVICE, SHIPPER_ENVIRONMENT, SHIPPER_REVISION, SHIPPER_NUMBER, SHIPPER_WEIGHT, SHIPPER_ADDRESS and "
        "SHIPPER_HOST (the Host header that this address needs, empty for none).",
    )
    command_timeout: Seconds = Field(default=60.0, description="The longest that the command may take.")


class RollbackSettings(Product):
    """`[rollback]`: how the way back is kept open."""

    keep: Literal["running", "stopped", "none"] = Field(
        default="running",
        description="The previous revision after a release: running is the fastest way back and costs its memory.",
    )
    releases: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=5, description="How many earlier verified releases clean-up must leave able to come back."
    )
    secrets: Literal["pinned", "current"] | None = Field(
        default=None,
        description="The values of then, or those of now. The target's own default when absent: pinned where the "
        "platform keeps them and can prove it; Kubernetes has only those of now.",
    )


class LedgerSettings(Product):
    """`[ledger]`: where the log of what was decided and done is kept."""

    url: Annotated[Line, StringConstraints(min_length=1, max_length=1024)] | None = Field(
        default=None,
        description='"s3://bucket/prefix", "gs://…", "az://…" for teams; this user\'s own directory when absent.',
    )
    protected: bool = Field(
        default=False,
        description="Refuse a release whose lease covers one machine only (a ledger of kind file).",
    )


class RolloutSettings(Product):
    """`[rollout]`: how traffic gets from old to new."""

    strategy: Strategy | None = Field(
        default=None,
        description="all-at-once: one shift. blue-green: one shift, then `bake` with the old one ready to take over. "
        "canary: `steps`, each baked and gated. recreate: the old one is stopped first, so nothing answers for a "
        "while. rolling: the platform replaces instances. The target's own default when absent.",
    )
    timeout: Seconds = Field(default=600.0, description="The longest until the new revision is ready.")
    deadline: Seconds = Field(default=3600.0, description="The longest for the whole rollout; then it is put back.")
    before: tuple[Line, ...] | None = Field(
        default=None,
        max_length=100,
        description="A command that is run once in the new image, with its environment and secrets, before anything of "
        "it gets traffic, such as a migration; any status but 0 ends the rollout. A rollback does not run it.",
    )
    drain: Seconds = Field(default=30.0, description="The longest to wait for requests on the old revision to end.")
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(max_length=20)] = Field(
        default=(10, 50), description="canary: shares of the traffic in percent before all of it, rising."
    )
    bake: Seconds = Field(
        default=60.0, description="canary: the time at each step; blue-green: the time after the shift."
    )
    gate: GateSettings = Field(default_factory=GateSettings, description="What a bake time must not show.")


class TargetSettings(Product):
    """`[targets.<name>]`: a place. `settings` are the kind's own, validated by its adapter."""

    name: Name = Field(description="The target's name.")
    kind: Name = Field(description="docker, kubernetes, knative, cloudrun, lambda, ecs, or a third party's.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The kind's own settings.")
    location: str = Field(default="", description='What no other place has, such as "kubernetes, namespace shops".')


class Settings(Product):
    """Everything, resolved: overlays merged, defaults filled, one target chosen."""

    service: ServiceSettings
    image: ImageSettings = Field(default_factory=ImageSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    scale: ScaleSettings = Field(default_factory=ScaleSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    smoke: SmokeSettings = Field(default_factory=SmokeSettings)
    scan: ScanPolicy = Field(default_factory=ScanPolicy)
    rollout: RolloutSettings = Field(default_factory=RolloutSettings)
    rollback: RollbackSettings = Field(default_factory=RollbackSettings)
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    targets: dict[str, TargetSettings] = Field(default_factory=dict)
    target: str | None = Field(
        default=None, description="The target used when --target is not given: a name, a kind or a URL."
    )

    def runtime(self) -> dict[str, Any]:
        """The part that decides how the service runs: what the fingerprint covers besides images and secrets."""
        return {
            "service": self.service.service,
            "environment": self.service.environment,
            "run": self.run.model_dump(mode="json"),
            "scale": self.scale.model_dump(mode="json"),
            "health": self.health.model_dump(mode="json"),
        }
