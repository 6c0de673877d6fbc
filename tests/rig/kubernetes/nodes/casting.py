"""What each container runs on: a script when a test wrote one, else the engine. Knative's queue-proxy is played."""

from __future__ import annotations

from dataclasses import dataclass

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.nodes.behaviours import Behaviours
from tests.rig.kubernetes.pods import checks
from tests.rig.kubernetes.pods.runtime import Plan, Running, Runtime
from tests.rig.kubernetes.pods.scripted import Behaviour, Played, Scripted

_QUEUE_PROXY = "queue-proxy"
_KNATIVE = "serving.knative.dev/revision"
_SOON: Object = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}


class Casting:
    """`engine` None: this machine has none that pods could run on, and what has no script is played as good."""

    def __init__(self, behaviours: Behaviours, engine: Runtime | None) -> None:
        self._behaviours, self._engine = behaviours, engine

    def choose(self, pod: Object, container: Object) -> tuple[Runtime, Object]:
        """The runtime, and the container as it is to be probed."""
        if container["name"] == _QUEUE_PROXY and _KNATIVE in (pod["metadata"].get("labels") or {}):
            return self._queue_proxy(pod, container)
        how = self._behaviour(pod, container)
        if how.kind == "run" and self._engine is not None:
            return self._engine, container
        return Scripted(how), _dressed(container, how)

    def _behaviour(self, pod: Object, container: Object) -> Behaviour:
        how = self._behaviours.choose(pod, container) or Behaviour("run")
        return Behaviour("good") if how.kind == "run" and self._engine is None else how

    def _queue_proxy(self, pod: Object, container: Object) -> tuple[Runtime, Object]:
        """It is ready when the user container answers its probe, as the real one is."""
        dressed = {**container, "readinessProbe": {**_SOON, "failureThreshold": 3}}
        dressed.pop("startupProbe", None)
        dressed.pop("livenessProbe", None)
        other = next((one for one in pod["spec"]["containers"] if one["name"] != _QUEUE_PROXY), container)
        how = self._behaviour(pod, other)
        if how.kind != "run":
            return Scripted(how if how.kind in ("good", "slow") else Behaviour("notready")), dressed
        probe = checks.queue_proxy_probe(container)
        return QueueProxy(container, probe), dressed


class QueueProxy(Scripted):
    """Played; its readiness is what the user container answers to the probe that Knative hands it."""

    def __init__(self, container: Object, probe: Object | None) -> None:
        super().__init__(Behaviour("good"))
        self._container, self._probe = container, probe

    def start(self, plan: Plan) -> Running:
        return _Proxying(self._container, self._probe)

    def find(self, pod: Object, container: str) -> tuple[Running, int] | None:
        found = super().find(pod, container)
        return found and (_Proxying(self._container, self._probe, found[0].id), found[1])


@dataclass(init=False)
class _Proxying(Played):
    def __init__(self, container: Object, probe: Object | None, known: str = "") -> None:
        if known:
            super().__init__(Behaviour("good"), known)
        else:
            super().__init__(Behaviour("good"))
        self._container, self._probe = container, probe

    def check(self, kind: str, probe: Object, host: str) -> str | None:
        if self._probe is None:
            return None
        return checks.check(self._container, self._probe, host)


def _dressed(container: Object, how: Behaviour) -> Object:
    """Without a readiness probe of its own, one that a script can fail."""
    if how.kind in ("slow", "notready") and not container.get("readinessProbe"):
        return {**container, "readinessProbe": _SOON}
    return container
