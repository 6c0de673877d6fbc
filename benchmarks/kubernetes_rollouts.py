"""How long a cluster was at work on Deployments: from a new generation to the status that has all of it, by a watch.

    with RolloutTime(kube_rig, namespace) as rollouts:
        ...  # somebody writes the Deployment and waits
    covered(rollouts.spans("web"))  # seconds from the write to "all pods new and ready, none of the old"

What a watch tells is some hundredths of a second old, for whoever waits as well as for this one.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from benchmarks.platform_time import Span

if TYPE_CHECKING:
    from tests.rig.kubernetes.handle import KubeRig

Seen = tuple[float, int, bool]
"""When, generation, and whether all pods are of it."""


class RolloutTime:
    """A context manager; `spans` are on the clock of time.perf_counter()."""

    def __init__(self, hands: KubeRig, namespace: str) -> None:
        self._hands = hands
        self._namespace = namespace
        self._seen: dict[str, list[Seen]] = {}
        self._lock = threading.Lock()
        self._watch: Any = None
        self._began = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._look, name="rollouts", daemon=True)

    def __enter__(self) -> RolloutTime:
        self._thread.start()
        if not self._began.wait(10):
            raise RuntimeError(f"the Deployments of {self._namespace} could not be watched")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over = True
        if self._watch is not None:
            self._watch.stop()

    def spans(self, name: str, after: float = 0.0) -> list[Span]:
        """Of one Deployment, from `after` on; what is not over yet goes to now. RuntimeError when nobody looks."""
        if not self._thread.is_alive():
            raise RuntimeError(f"the watch of the Deployments of {self._namespace} has ended")
        with self._lock:
            seen = list(self._seen.get(name, ()))
        return rollouts_in(seen, after, time.perf_counter())

    def _look(self) -> None:
        from urllib3.exceptions import HTTPError

        try:
            self._watch_all()
        except HTTPError:
            if not self._over:  # whoever asks for spans is told
                raise

    def _watch_all(self) -> None:
        from kubernetes import client, watch

        _, there = self._hands.request("GET", f"/apis/apps/v1/namespaces/{self._namespace}/deployments")
        for one in there["items"]:
            self._note(one)
        watching: Any = watch.Watch()  # type: ignore[no-untyped-call]
        self._watch = watching
        self._began.set()
        ask = client.AppsV1Api(self._hands.api()).list_namespaced_deployment
        since = there["metadata"]["resourceVersion"]
        for event in watching.stream(ask, self._namespace, resource_version=since, timeout_seconds=3600):
            self._note(event["raw_object"])

    def _note(self, deployment: Any) -> None:
        now = time.perf_counter()
        with self._lock:
            several = self._seen.setdefault(deployment["metadata"]["name"], [])
            several.append((now, int(deployment["metadata"]["generation"]), is_complete(deployment)))


def is_complete(deployment: Any) -> bool:
    """As `kubectl rollout status` has it: polymorphichelpers/rollout_status.go."""
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    counts = (status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    current = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return current and all(count == wanted for count in counts)


def rollouts_in(seen: list[Seen], after: float, now: float) -> list[Span]:
    """From the first sight of a generation to the first complete one, after a moment."""
    spans: list[Span] = []
    generation, start = 0, None
    for at, number, complete in seen:
        if number != generation:
            if start is None and at >= after:
                start = at
            generation = number
        if complete and start is not None:
            spans.append((start, at))
            start = None
    return [*spans, (start, now)] if start is not None else spans
