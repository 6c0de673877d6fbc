"""What can never become ready is told within three seconds of the platform's knowing it, and what served serves on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.cluster.kube_scenarios import SECOND
from tests.e2e.cluster.tiny_cluster import KubePlaces, Shape, TinyCluster
from tests.e2e.machine import Ended
from tests.rig.killing_processes import kill_tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SOON = 3.0
"""Seconds from the platform's knowledge to the user's: issue 6."""
_PATIENCE = 90.0

Pods = list[dict[str, Any]]


def statuses(pods: Pods) -> Iterator[dict[str, Any]]:
    for pod in pods:
        yield from pod.get("status", {}).get("containerStatuses", [])


def waits_for(*reasons: str) -> Callable[[Pods], bool]:
    return lambda pods: any(one["state"].get("waiting", {}).get("reason") in reasons for one in statuses(pods))


def out_of_memory(pods: Pods) -> bool:
    ends = [one[what].get("terminated", {}) for one in statuses(pods) for what in ("state", "lastState")]
    return any(end.get("reason") == "OOMKilled" for end in ends)


def restarted_twice(pods: Pods) -> bool:
    return any(one["restartCount"] >= 2 and "running" not in one["state"] for one in statuses(pods))


@dataclass(frozen=True)
class Doom:
    """What the nodes do to containers that start from now on, when the platform knows, and what the user is told."""

    name: str
    behaves: dict[str, Any]
    known: Callable[[Pods], bool]
    cause: str
    words: str

    def __str__(self) -> str:
        return self.name


LINES = ["loading the model", "KeyError: 'FEATURE_STORE_URL'"]
DOOMS = (
    Doom("missing image", {"kind": "missing"}, waits_for("ErrImagePull"), "image-missing", "cannot be pulled"),
    Doom("crash loop", {"kind": "crash", "code": 3, "lines": LINES}, restarted_twice, "crashed", LINES[-1]),
    Doom("out of memory", {"kind": "oom"}, out_of_memory, "out-of-memory", "memory"),
    Doom(
        "config error", {"kind": "config-error"}, waits_for("CreateContainerConfigError"), "config-missing", "not found"
    ),
)


@dataclass
class Following:
    """A command whose output is read as it comes: each event and when it came, by `time.monotonic()`."""

    place: TinyCluster
    words: tuple[object, ...]
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def to_the_end(self) -> Ended:
        process = self.place.start(*self.words)
        assert process.stdout is not None
        assert process.stderr is not None
        errors: list[str] = []
        reading = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
        reading.start()
        stopping = threading.Timer(_PATIENCE, kill_tree, (process.pid,))
        stopping.start()
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if line.startswith("{"):
                    self.events.append((time.monotonic(), json.loads(line)))
            code = process.wait(10)
        finally:
            stopping.cancel()
        reading.join(10)
        return Ended(code, "".join(lines), "".join(errors), 0.0)

    @property
    def told(self) -> float:
        """When the run began to put back, and with that knew why; where no traffic had to move, its end."""
        back = [when for when, event in self.events if event.get("text", "").startswith("putting traffic back")]
        return back[0] if back else self.events[-1][0]


@contextmanager
def knowing(place: TinyCluster, known: Callable[[Pods], bool]) -> Iterator[list[float]]:
    """When the API server first has such pods: seconds of the monotonic clock, one or none."""
    found: list[float] = []
    over = threading.Event()
    path = f"/api/v1/namespaces/{place.cluster.namespace}/pods"

    def look() -> None:
        while not found and not over.wait(0.05):
            status, pods = place.cluster.hands.request("GET", path)
            if status == 200 and known(pods["items"]):
                found.append(time.monotonic())

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join(10)


@contextmanager
def doomed(place: TinyCluster, behaves: dict[str, Any]) -> Iterator[None]:
    """Containers of this namespace that start in the block; the kubelet's pauses take a twentieth of their time."""
    nodes, namespace = place.cluster.hands.nodes, place.cluster.namespace
    nodes.time_factor(0.05, namespace)
    nodes.behave(**behaves, namespace=namespace)
    try:
        yield
    finally:
        nodes.forget(namespace=namespace)


@pytest.mark.sample(2)
@pytest.mark.parametrize("shape", ["rolling", "blue-green"])
@pytest.mark.parametrize("doom", DOOMS, ids=str)
def test_the_reason_is_told_at_once_and_what_served_serves_on(
    kube_places: KubePlaces, doom: Doom, shape: Shape
) -> None:
    attempt = SECOND[shape].prepare(kube_places)
    place = attempt.place
    place.write(attempt.wanted, run={"memory": "128MiB"}, health={"startup": "60s"})
    following = Following(place, attempt.words)
    with doomed(place, doom.behaves), knowing(place, doom.known) as known:
        ended = following.to_the_end()
    assert known, f"the platform never knew of it: {ended!r}"
    assert (ended.code, ended.finished["cause"]) == (20, doom.cause), ended
    assert doom.words in ended.said or any(doom.words in str(event) for _, event in following.events), ended
    assert following.told - known[0] < SOON
    assert place.text() == attempt.served
    place.until(lambda: not place.left_over())
    assert place.release(attempt.wanted).code == 0, "the same again, on nodes that are well"
    assert place.text() == attempt.wanted
