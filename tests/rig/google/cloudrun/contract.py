"""What the parts of the rig's Cloud Run promise each other.

The state (state.py) decides; `Instances` runs containers for it; `Router` sends requests to them; the v1 front speaks
to the state through `StateView`. Names are full resource names everywhere, as in the API:
`projects/P/locations/L/services/S` and `.../services/S/revisions/R`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from tests.rig.google.cloudrun.request_log import RequestLog

if TYPE_CHECKING:
    from google.cloud import run_v2
    from google.iam.v1.policy_pb2 import Policy
    from google.longrunning.operations_pb2 import Operation


@dataclass(frozen=True)
class ProbeSpec:
    """A probe with its defaults filled in. Times in seconds."""

    kind: Literal["http", "tcp", "grpc"]
    port: int
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    grpc_service: str = ""
    initial_delay: int = 0
    timeout: int = 1
    period: int = 10
    failure_threshold: int = 3


@dataclass(frozen=True)
class SecretRef:
    """A version of a secret: `project`, short `secret`, `version` ("7" or "latest") as the template gives it."""

    project: str
    secret: str
    version: str


@dataclass(frozen=True)
class SecretFile:
    """One item of a mounted secret volume: an absolute path in the container, and the mode of the file."""

    path: str
    ref: SecretRef
    mode: int = 0o444


@dataclass(frozen=True)
class BucketMount:
    """A Cloud Storage volume. `only_dir` is gcsfuse's mount option only-dir: a directory in the bucket, or ""."""

    bucket: str
    mount_path: str
    read_only: bool = False
    only_dir: str = ""


@dataclass(frozen=True)
class MemoryMount:
    """An in-memory volume; `size` in bytes, 0 when no limit is given."""

    mount_path: str
    size: int = 0


@dataclass(frozen=True)
class RunSpec:
    """Everything that one revision needs to run: its single ingress container, defaults filled in.

    `revision` is the full name. `revision_id`, `service_id` are the short ones (K_REVISION, K_SERVICE and
    K_CONFIGURATION). `command` and `args` are empty when the image's own count. `cpu` in cores, `memory` in bytes.
    """

    project: str
    location: str
    service_id: str
    revision_id: str
    image: str
    port: int = 8080
    h2c: bool = False
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, SecretRef] = field(default_factory=dict)
    secret_files: tuple[SecretFile, ...] = ()
    buckets: tuple[BucketMount, ...] = ()
    memory_mounts: tuple[MemoryMount, ...] = ()
    cpu: float = 1.0
    memory: int = 512 * 1024 * 1024
    gpu: int = 0
    cpu_idle: bool = True
    startup_probe: ProbeSpec | None = None
    liveness_probe: ProbeSpec | None = None
    readiness_probe: ProbeSpec | None = None
    timeout: float = 300.0
    concurrency: int = 80
    min_instances: int = 0
    max_instances: int = 100
    service_account: str = ""

    @property
    def service(self) -> str:
        """The service's full name."""
        return f"projects/{self.project}/locations/{self.location}/services/{self.service_id}"

    @property
    def revision(self) -> str:
        """The revision's full name."""
        return f"{self.service}/revisions/{self.revision_id}"


@dataclass(frozen=True)
class Outcome:
    """How the start of a revision ended.

    `code` is a canonical code's name ("" when ok), `message` the text of the condition and of the operation's error.
    `reason` is a name of Condition.CommonReason or Condition.RevisionReason, such as CONTAINER_MISSING or
    HEALTH_CHECK_CONTAINER_ERROR; `condition` names the revision's condition that failed: ContainerHealthy,
    ContainerReady (the image) or ResourcesAvailable. `log_lines` are the container's own last lines.
    """

    ok: bool
    code: str = ""
    reason: str = ""
    message: str = ""
    condition: str = "ContainerHealthy"
    log_lines: tuple[str, ...] = ()


OK = Outcome(ok=True)


@dataclass(frozen=True)
class LogLine:
    """A line that a container wrote. `at` is seconds since the epoch; `stream` stdout or stderr."""

    at: float
    stream: Literal["stdout", "stderr"]
    text: str


class Instances(Protocol):
    """Runs revisions. Every method may be called from any thread; `start` blocks for as long as the start takes."""

    def start(self, spec: RunSpec) -> Outcome:
        """Run the revision's first instance and judge its start-up. Ends early when `stop` is called meanwhile.

        Never raises for what a container or an image does: that is an Outcome. What the rig itself cannot do (no
        engine) raises, and becomes an INTERNAL error of the operation.
        """
        ...

    def stop(self, revision: str) -> None:
        """End and forget the revision: it was deleted. Unknown names are fine."""
        ...

    def keep(self, revision: str, instances: int) -> None:
        """The smallest number of instances from now on; 0 means it may scale to zero when it is idle."""
        ...

    def logs(self, revision: str, lines: int) -> Sequence[LogLine]:
        """The last lines that the revision's containers wrote, oldest first; also of a start that failed."""
        ...

    def close(self) -> None:
        """End everything."""
        ...


class Router(Protocol):
    """Gives services addresses on this machine and divides their requests. Methods come from any thread."""

    def open(self, service: str) -> str:
        """The service's address, `http://127.0.0.1:PORT`, the same for as long as it is open. Answers 404 at first."""
        ...

    def route(
        self,
        service: str,
        weights: Mapping[str, int],
        tags: Mapping[str, str],
        *,
        invoker_check: bool,
        ingress: str,
    ) -> Mapping[str, str]:
        """Route from now on, in one swap. `weights` is full revision name -> percent, `tags` tag -> full revision name.

        `ingress` is a name of IngressTraffic. Gives tag -> address. A tag keeps its address for as long as it is there.
        """
        ...

    def close(self, service: str) -> None:
        """The service was deleted: its addresses are gone."""
        ...


@dataclass(frozen=True)
class World:
    """What instances and router ask of the other parts. The server makes it, tests may make their own.

    `secret` gives a version's bytes or raises ApiError; `bucket` gives the directory of this machine that holds a
    bucket's objects (made when missing); `invoker` gives who an id token names for an audience, or None when it is not
    valid; `may_invoke` says whether that member (or None: no token) may call a service, by the service's IAM policy;
    `requests` is where the router logs what it passed on.
    """

    secret: Callable[[SecretRef], bytes]
    bucket: Callable[[str], str]
    invoker: Callable[[str, str], str | None]
    may_invoke: Callable[[str, str | None], bool]
    idle_seconds: float = 60.0
    requests: RequestLog = field(default_factory=RequestLog)


# The server calls these: instances.py `make(world: World) -> Instances`, router.py
# `make(world: World, instances: Instances) -> Router`, v1.py `answer(state: StateView, request: HttpRequest) ->
# HttpAnswer | None` (None: not a path of v1). `tests/rig/google/http.py` has HttpRequest and HttpAnswer.


class StateView(Protocol):
    """What the v1 front may ask of the state. Messages are copies; refusals are ApiError.

    Writes return at once, with the operation that goes on. `principal` is who asks, for creator and lastModifier.
    """

    def get_service(self, name: str) -> run_v2.Service: ...

    def list_services(self, parent: str) -> list[run_v2.Service]: ...

    def create_service(
        self, parent: str, service_id: str, service: run_v2.Service, *, validate_only: bool = False, principal: str = ""
    ) -> Operation: ...

    def update_service(
        self,
        service: run_v2.Service,
        mask: Sequence[str] = (),
        *,
        validate_only: bool = False,
        allow_missing: bool = False,
        principal: str = "",
    ) -> Operation:
        """Without a mask the whole desired state is replaced: v1's PUT. `service.etag`, when given, must be current."""
        ...

    def delete_service(self, name: str, *, etag: str = "", validate_only: bool = False) -> Operation: ...

    def get_revision(self, name: str) -> run_v2.Revision: ...

    def list_revisions(self, parent: str) -> list[run_v2.Revision]:
        """`parent` is a service's name, or `.../services/-` for all of a location."""
        ...

    def delete_revision(self, name: str, *, etag: str = "", validate_only: bool = False) -> Operation: ...

    def get_operation(self, name: str) -> Operation: ...

    def locations(self, project: str) -> list[str]:
        """Locations where the project has services: v1 lists a namespace over all of them."""
        ...

    def get_iam_policy(self, resource: str) -> Policy: ...

    def set_iam_policy(self, resource: str, policy: Policy) -> Policy: ...

    def logs(self, revision: str, lines: int) -> Sequence[LogLine]: ...
