"""The probes of one running container: their periods and thresholds as in pkg/kubelet/prober/worker.go."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods.runtime import Running

Heard = Callable[[str, bool, str], None]
"""Kind of probe, whether its threshold for passing (True) or failing (False) is reached, and what it said last."""

Unhealthy = Callable[[str, str], None]
"""Kind of probe, and why one attempt failed."""

KINDS = ("startup", "liveness", "readiness")


class Prober:
    """Starts a thread for each probe that the container has; liveness and readiness wait for startup to pass."""

    def __init__(self, container: Object, running: Running, host: str, heard: Heard, unhealthy: Unhealthy) -> None:
        self._probes: dict[str, Object] = {
            kind: container[f"{kind}Probe"] for kind in KINDS if container.get(f"{kind}Probe")
        }
        self._running, self._host, self._heard, self._unhealthy = running, host, heard, unhealthy
        self._name = container["name"]

    def start(self) -> None:
        first = ["startup"] if "startup" in self._probes else [kind for kind in self._probes if kind != "startup"]
        for kind in first:
            self._thread(kind)

    def _thread(self, kind: str) -> None:
        threading.Thread(target=self._probe, args=(kind,), name=f"{kind} {self._name}", daemon=True).start()

    def _probe(self, kind: str) -> None:
        probe = self._probes[kind]
        period = float(probe.get("periodSeconds") or 10)
        failures, successes = int(probe.get("failureThreshold") or 3), int(probe.get("successThreshold") or 1)
        row, passed_before = 0, False
        if self._running.ended.wait(float(probe.get("initialDelaySeconds") or 0)):
            return
        while True:
            said = self._running.check(kind, probe, self._host)
            if self._running.ended.is_set():
                return
            passed = said is None
            row = row + 1 if passed == passed_before else 1
            passed_before = passed
            if said is not None:
                self._unhealthy(kind, said)
            if row == (successes if passed else failures):
                self._heard(kind, passed, said or "")
                if kind == "startup":
                    break
            if self._running.ended.wait(period):
                return
        if passed:
            for other in self._probes:
                if other != "startup":
                    self._thread(other)
