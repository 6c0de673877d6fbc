"""Instances and a router without an engine: for the state's own tests, and for a rig where nothing has to run.

The image decides how a start ends: a repository that ends with `/crash`, `/missing`, `/denied` or `/slow` (starts only
when `release` is called); everything else is ready at once. Nothing answers at the addresses.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.rig.google.cloudrun import instances_outcomes as outcomes
from tests.rig.google.cloudrun.contract import OK, LogLine, Outcome, RunSpec, World


@dataclass
class ScriptedInstances:
    specs: dict[str, RunSpec] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    least: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[LogLine]] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)

    def start(self, spec: RunSpec) -> Outcome:
        self.specs[spec.revision] = spec
        last = re.split("[@:]", spec.image)[0].rsplit("/", 1)[-1]
        if last == "missing":
            return outcomes.image_missing(spec)
        if last == "denied":
            return outcomes.image_denied(spec)
        if last == "crash":
            self.lines[spec.revision] = [LogLine(time.time(), "stderr", "model.bin: no such file")]
            return outcomes.not_listening(spec, ("model.bin: no such file",))
        if last == "slow":
            self.go.wait()
        return OK

    def release(self) -> None:
        """Everything that is slow is ready now."""
        self.go.set()

    def stop(self, revision: str) -> None:
        self.stopped.append(revision)

    def keep(self, revision: str, instances: int) -> None:
        self.least[revision] = instances

    def logs(self, revision: str, lines: int) -> Sequence[LogLine]:
        return self.lines.get(revision, [])[-lines:]

    def close(self) -> None:
        self.go.set()


@dataclass
class ScriptedRouter:
    """Notes what it is told. Addresses are of ports that nobody listens on."""

    ports: dict[str, int] = field(default_factory=dict)
    routed: dict[str, tuple[dict[str, int], dict[str, str]]] = field(default_factory=dict)
    checked: dict[str, bool] = field(default_factory=dict)

    def open(self, service: str) -> str:
        return self._address(service)

    def route(
        self,
        service: str,
        weights: Mapping[str, int],
        tags: Mapping[str, str],
        *,
        invoker_check: bool,
        ingress: str,
    ) -> Mapping[str, str]:
        self.routed[service] = (dict(weights), dict(tags))
        self.checked[service] = invoker_check
        return {tag: self._address(f"{tag}---{service}") for tag in tags}

    def close(self, service: str) -> None:
        self.routed.pop(service, None)

    def _address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports.setdefault(name, len(self.ports) + 1)}"


Parts = tuple[ScriptedInstances, ScriptedRouter]


def make(world: World) -> Parts:
    return ScriptedInstances(), ScriptedRouter()
