"""The seam between what a kubelet decides and what runs: as narrow as the CRI, for the parts that the rig needs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from tests.rig.kubernetes.nodes.apiserver import Object


class Trouble(Exception):
    """A container cannot be started now. `reason` is what its status waits for, `event` the reason of the Event."""

    def __init__(self, reason: str, message: str, event: str = "Failed") -> None:
        super().__init__(message)
        self.reason, self.message, self.event = reason, message, event


class StartFailed(Trouble):
    """The runtime refused to start it: it counts as an exit with 128."""

    def __init__(self, message: str) -> None:
        super().__init__("RunContainerError", message)


@dataclass(frozen=True)
class Image:
    """`id` is what the status shows (imageID); `user` is the image's own USER; `size` is in bytes."""

    id: str
    user: str = ""
    command: Sequence[str] = ()
    local: str = ""
    size: int = 0


@dataclass(frozen=True)
class Mount:
    """A place of this machine (`source`, or a `volume` of the engine) at `target` in the container."""

    target: str
    source: str = ""
    volume: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class Plan:
    """All that a runtime needs to start a container."""

    pod: Object
    container: Object
    attempt: int
    image: Image
    env: Mapping[str, str]
    mounts: Sequence[Mount] = ()
    user: str = ""
    groups: Sequence[str] = ()
    termination_log: str = ""


@dataclass(frozen=True)
class Exit:
    """How a container ended. Reasons: Completed, Error, OOMKilled, StartError, ContainerStatusUnknown."""

    code: int
    reason: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    message: str = ""


@dataclass(frozen=True)
class LogQuery:
    """The parameters of GET /containerLogs; seconds and bytes, None for no limit."""

    tail: int | None = None
    since: float | None = None
    timestamps: bool = False
    follow: bool = False
    limit: int | None = None


class Running(Protocol):
    """A container that was started. `ended` is set as soon as it does not run any more."""

    id: str
    started: datetime
    ended: threading.Event

    def exit(self) -> Exit:
        """How it ended; only after `ended`."""
        ...

    def check(self, kind: str, probe: Object, host: str) -> str | None:
        """One attempt of a probe (startup, liveness, readiness); None when it passes, else why not."""
        ...

    def execute(self, command: Sequence[str], seconds: float) -> str | None:
        """Run a command in it; None when it exits 0, else what the kubelet would say."""
        ...

    def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL when it still runs after so many seconds; returns when it has ended."""
        ...

    def kill(self) -> None:
        """SIGKILL from outside; `ended` follows."""
        ...

    def logs(self, query: LogQuery) -> Iterator[bytes]:
        """What it wrote, oldest first; also after it ended, until `remove`."""
        ...

    def remove(self) -> None:
        """Forget it, logs included."""
        ...


class Runtime(Protocol):
    """What pods run on."""

    def pull(self, reference: str, policy: str, pulling: Callable[[], None]) -> Image:
        """The image; `pulling` is called first when it is not there yet. Raises Trouble."""
        ...

    def network(self, pod: Object) -> str:
        """Make the pod's network, once; its IP. Raises Trouble."""
        ...

    def start(self, plan: Plan) -> Running:
        """Raises Trouble or StartFailed."""
        ...

    def find(self, pod: Object, container: str) -> tuple[Running, int] | None:
        """A container that an earlier process of ours started and that still runs, with its attempt."""
        ...

    def remove(self, pod: Object) -> None:
        """Everything that is left of a pod."""
        ...
