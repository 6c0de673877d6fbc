"""A runtime that plays a script: no process runs, and everything above it is as with a real one.

Based on what containerd and the kubelet say in each case (facts measured on 1.34; texts from the kubelet's sources).
What it gets wrong: a scripted container uses no resources, its address answers nobody, and exec only succeeds.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import references
from tests.rig.kubernetes.pods.log_lines import Line, select
from tests.rig.kubernetes.pods.runtime import Exit, Image, LogQuery, Plan, Running, StartFailed, Trouble

Kind = Literal[
    "good", "run", "slow", "missing", "invalid-name", "crash", "oom", "config-error", "start-error", "notready", "exit"
]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Behaviour:
    """How a container behaves. `run` is the odd one out: it really runs.

    `seconds` is how long slow takes to be ready, and how long crash, oom and exit run; `code` is the exit code of crash
    and exit; `lines` are what it writes first.
    """

    kind: Kind
    seconds: float = 0.0
    code: int = 1
    lines: tuple[str, ...] = ()


def from_label(text: str) -> Behaviour:
    """A behaviour as a label's value: `crash`, `slow-3` (seconds), `exit-2` (code). ValueError for another."""
    if text in KINDS:
        return Behaviour(text, code=0 if text == "exit" else 1)  # type: ignore[arg-type]
    kind, _, number = text.rpartition("-")
    if kind in ("slow", "crash", "exit") and number.isdigit():
        return Behaviour(kind, seconds=float(number)) if kind == "slow" else Behaviour(kind, code=int(number))  # type: ignore[arg-type]
    raise ValueError(f"{text!r} is no behaviour: {', '.join(KINDS)}")


class Scripted:
    """The runtime of one container with one behaviour; `network` gives addresses that lead nowhere."""

    _addresses = itertools.count(int(time.time()) % 60000)

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._pulled = ""

    def pull(self, reference: str, policy: str, pulling: Callable[[], None]) -> Image:
        if self._behaviour.kind == "invalid-name":
            references.parse(f"{reference}:not/valid")
        parsed = references.parse(reference)
        if policy == "Always" or self._pulled != reference:
            pulling()
        if self._behaviour.kind == "missing":
            said = f'failed to resolve reference "{reference}": {reference}: not found'
            unpack = f'failed to pull and unpack image "{reference}": {said}'
            raise Trouble("ErrImagePull", f"rpc error: code = NotFound desc = {unpack}")
        digest = parsed.digest or f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"
        self._pulled = reference
        return Image(id=f"{parsed.name}@{digest}", user="1000")

    def network(self, pod: Object) -> str:
        if known := (pod.get("status") or {}).get("podIP"):
            return str(known)
        number = next(self._addresses) % 60000
        return f"10.244.{number // 250}.{number % 250 + 1}"

    def start(self, plan: Plan) -> Running:
        name = plan.container["name"]
        if self._behaviour.kind == "config-error":
            raise Trouble("CreateContainerConfigError", f'secret "{name}-is-scripted-to-lack-one" not found')
        if self._behaviour.kind == "start-error":
            exec_failed = 'exec: "serve": executable file not found in $PATH: unknown'
            said = f"OCI runtime create failed: runc create failed: unable to start container process: {exec_failed}"
            raise StartFailed(f"failed to create containerd task: failed to create shim task: {said}")
        return Played(self._behaviour)

    def find(self, pod: Object, container: str) -> tuple[Running, int] | None:
        """Nothing outlives the process that played it; a container that the API knows as running goes on."""
        known = {one["name"]: one for one in (pod.get("status") or {}).get("containerStatuses", [])}
        status = known.get(container)
        if status is None or "running" not in status["state"]:
            return None
        return Played(self._behaviour, status["containerID"]), int(status["restartCount"])

    def remove(self, pod: Object) -> None:
        """Nothing is left of it."""


@dataclass
class Played:
    """A scripted container from its start to its end."""

    behaviour: Behaviour
    id: str = field(default_factory=lambda: f"containerd://{uuid.uuid4().hex * 2}")
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._stopped: Exit | None = None
        self._lines = [Line(self.started.timestamp(), text) for text in self.behaviour.lines]
        if self.behaviour.kind in ("crash", "oom", "exit"):
            timer = threading.Timer(self.behaviour.seconds, self.ended.set)
            timer.daemon = True
            timer.start()

    def exit(self) -> Exit:
        if self._stopped is not None:
            return self._stopped
        if self.behaviour.kind == "oom":
            return Exit(137, "OOMKilled")
        return Exit(self.behaviour.code, "Completed" if self.behaviour.code == 0 else "Error")

    def check(self, kind: str, probe: Object, host: str) -> str | None:
        """Startup and readiness fail while it is slow or not ready; liveness always passes."""
        if kind == "liveness" or self._is_ready():
            return None
        if "exec" in probe or "grpc" in probe:
            return "not ready"
        if "tcpSocket" in probe:
            return f"dial tcp {host}:{probe['tcpSocket']['port']}: connect: connection refused"
        return "HTTP probe failed with statuscode: 503"

    def execute(self, command: Sequence[str], seconds: float) -> str | None:
        return None

    def stop(self, seconds: float) -> None:
        if not self.ended.is_set():
            self._stopped = Exit(0, "Completed")
            self.ended.set()

    def kill(self) -> None:
        if not self.ended.is_set():
            self._stopped = Exit(137, "Error")
            self.ended.set()

    def logs(self, query: LogQuery) -> Iterator[bytes]:
        yield from select(self._lines, query)
        if query.follow:
            self.ended.wait()

    def remove(self) -> None:
        self._lines = []

    def _is_ready(self) -> bool:
        if self.behaviour.kind == "slow":
            return (datetime.now(UTC) - self.started).total_seconds() >= self.behaviour.seconds
        return self.behaviour.kind != "notready"
