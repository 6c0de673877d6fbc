"""The rig's parts, what each one needs, and how a set of them is found or made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from tests.rig import database, engine, images, registry, scanner
from tests.rig.google import part as google
from tests.rig.google.artifacts import part as artifacts
from tests.rig.kubernetes import build as kubernetes_build
from tests.rig.kubernetes import part as kubernetes
from tests.rig.machine import Machine
from tests.rig.shell import RigError

State = Literal["found", "made", "missing", "failed"]


@dataclass(frozen=True)
class Part:
    """One thing the tests need: how to look for it, how to make it, and what must be there first."""

    name: str
    look: Callable[[Machine], str | None]
    make: Callable[[Machine], str]
    needs: tuple[str, ...] = ()
    prepare: Callable[[Machine], None] | None = None
    """Work towards `make` that can start before `needs` are there."""
    renew: Callable[[Machine], None] | None = None
    """What a set-up does to a part that it found."""
    stop: Callable[[Machine], str | None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one part."""

    part: str
    state: State
    words: str
    seconds: float = 0.0

    def line(self) -> str:
        """One aligned line for a person."""
        took = f" in {self.seconds:.0f} s" if self.state == "made" else ""
        return f"{self.part:<14}{self.state + took:<14}{self.words}".rstrip()


PARTS: tuple[Part, ...] = (
    Part("engine", engine.look, engine.make, stop=engine.stop),
    Part("registry", registry.look, registry.make, needs=("engine",), stop=registry.stop),
    Part(
        "base image",
        images.look_base,
        images.make_base,
        needs=("engine", "registry"),
        prepare=images.prepare_base,
    ),
    Part("proxy image", images.look_proxy, images.make_proxy, needs=("base image",)),
    Part("trivy", scanner.look, scanner.make),
    Part("database", database.look, database.make, renew=database.renew),
    Part("artifacts", artifacts.look, artifacts.make, needs=("engine", "registry"), stop=artifacts.stop),
    Part("cloud run", google.look, google.make, needs=("engine", "artifacts"), stop=google.stop),
    Part("control plane", kubernetes_build.look, kubernetes_build.make),
    Part(
        "kubernetes",
        kubernetes.look,
        kubernetes.make,
        needs=("control plane", "registry", "proxy image"),
        stop=kubernetes.stop,
    ),
    Part(
        "knative",
        kubernetes.look_knative,
        kubernetes.make_knative,
        needs=("kubernetes",),
        stop=kubernetes.stop_knative,
    ),
)
NAMES = tuple(part.name for part in PARTS)
GOOGLE = ("artifacts", "cloud run")
"""What only tests of Google Cloud need: low ports and names in /etc/hosts, which not every machine gives."""
KUBERNETES = ("control plane", "kubernetes", "knative")
"""What only tests of Kubernetes and Knative need: the first time, ten minutes of building."""


def select(names: Iterable[str]) -> tuple[Part, ...]:
    """The parts of these names and all they need, in the order of PARTS."""
    by_name = {part.name: part for part in PARTS}
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in by_name:
            raise RigError(f"the rig has no part {name!r}; it has: {', '.join(NAMES)}")
        if name not in wanted:
            wanted.add(name)
            waiting.extend(by_name[name].needs)
    return tuple(part for part in PARTS if part.name in wanted)


def bring_up(machine: Machine, parts: tuple[Part, ...], tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Find or make the parts, those that do not need each other at the same time; `tell` in order."""
    with ThreadPoolExecutor(max_workers=2 * len(parts)) as workers:
        ahead = {part.name: workers.submit(part.prepare, machine) for part in parts if part.prepare}
        started: dict[str, Future[Outcome]] = {}
        for part in parts:
            needs = [started[name] for name in part.needs]
            started[part.name] = workers.submit(_bring, machine, part, needs, ahead.get(part.name))
        outcomes = []
        for part in parts:
            outcomes.append(started[part.name].result())
            tell(outcomes[-1])
    return outcomes


def look_at(machine: Machine, parts: tuple[Part, ...]) -> list[Outcome]:
    """What is there, without making anything."""
    with ThreadPoolExecutor(max_workers=len(parts)) as workers:
        return list(workers.map(lambda part: _look(machine, part), parts))


def stop_all(machine: Machine) -> list[str]:
    """End what the rig started, the last one first; one line for each."""
    stoppable = [(part.name, part.stop) for part in reversed(PARTS) if part.stop]
    return [f"{name:<14}{stop(machine) or 'not started by the rig: left alone'}" for name, stop in stoppable]


def _look(machine: Machine, part: Part) -> Outcome:
    try:
        words = part.look(machine)
    except RigError as error:
        return Outcome(part.name, "failed", str(error))
    return Outcome(part.name, "found" if words else "missing", words or "")


def _bring(machine: Machine, part: Part, needs: list[Future[Outcome]], ahead: Future[None] | None) -> Outcome:
    lacking = [need.result().part for need in needs if need.result().state == "failed"]
    if lacking:
        return Outcome(part.name, "failed", f"needs the {' and the '.join(lacking)}")
    started = time.monotonic()
    there = _look(machine, part)
    if there.state == "failed":
        return there
    try:
        if there.state == "found":
            if part.renew:
                part.renew(machine)
            return there
        if ahead:
            ahead.result()
        return Outcome(part.name, "made", part.make(machine), time.monotonic() - started)
    except (RigError, OSError) as error:
        return Outcome(part.name, "failed", str(error))
