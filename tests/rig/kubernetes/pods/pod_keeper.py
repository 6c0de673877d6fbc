"""One pod on a node of ours, from the moment it is bound to its removal from the API."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import urllib3

from tests.rig.kubernetes.nodes.apiserver import STRATEGIC, ApiFailure, Object, path
from tests.rig.kubernetes.pods import statuses
from tests.rig.kubernetes.pods.container_keeper import ContainerKeeper
from tests.rig.kubernetes.pods.events import stamp
from tests.rig.kubernetes.pods.runtime import Runtime, Trouble
from tests.rig.kubernetes.pods.scripted import Scripted
from tests.rig.kubernetes.pods.volumes import Volumes
from tests.rig.kubernetes.pods.world import World

log = logging.getLogger(__name__)

_LEAST = 2.0  # seconds that sidecars get when the others took the whole grace
_AGAIN = 1.0  # seconds until what the API server did not take is sent again
_REPLACE = {"$patch": "replace"}
_RETRY = 2.0  # seconds until volumes that failed are tried again, scaled


class PodKeeper:
    """Everything happens in threads of its own; `update` hears of the pod's changes, `gone` ends it at once."""

    def __init__(self, world: World, pod: Object) -> None:
        self.pod = pod
        self.ip = str((pod.get("status") or {}).get("podIP", ""))
        self.stopping = threading.Event()
        self.finished = threading.Event()
        self._world = world
        self._folder = world.folder / str(pod["metadata"]["uid"])
        self.volumes = Volumes(pod, self._folder / "volumes", world.lookups)
        self._writing = threading.Lock()
        self._written: Object = {}
        self._started = str((pod.get("status") or {}).get("startTime") or stamp())
        policy = pod["spec"].get("restartPolicy", "Always")
        self.init = [self._container(spec, policy, init=True) for spec in pod["spec"].get("initContainers", [])]
        self.main = [self._container(spec, policy, init=False) for spec in pod["spec"]["containers"]]
        self._removed = False

    def start(self) -> None:
        name = f"pod {self.pod['metadata']['namespace']}/{self.pod['metadata']['name']}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def update(self, pod: Object) -> None:
        """A newer version of the object: only its deletion matters here."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._stop()

    def gone(self) -> None:
        """It was removed from the API by somebody else."""
        self._removed = True
        self._stop()

    def keeper(self, container: str) -> ContainerKeeper | None:
        """The keeper of a container by its name."""
        return next((one for one in [*self.init, *self.main] if one.seen.name == container), None)

    def publish(self) -> None:
        """Write the status, when it differs from what was written last."""
        with self._writing:
            status = self._status()
            if status == self._written or self._removed:
                return
            metadata = self.pod["metadata"]
            address = path("pods", metadata["namespace"], metadata["name"], sub="status")
            try:
                self._world.api.patch(address, {"metadata": {"uid": metadata["uid"]}, "status": status}, STRATEGIC)
                self._written = status
            except (ApiFailure, urllib3.exceptions.HTTPError) as error:
                if not (isinstance(error, ApiFailure) and error.status in (404, 409)):
                    log.warning("status of %s: %s", metadata["name"], error)
                    again = threading.Timer(_AGAIN, self.publish)
                    again.daemon = True
                    again.start()

    def termination_log(self, container: str, attempt: int) -> str:
        file = self._folder / "containers" / f"{container}-{attempt}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        file.chmod(0o666)
        return str(file)

    def _container(self, spec: Object, policy: str, *, init: bool) -> ContainerKeeper:
        if init:
            policy = spec.get("restartPolicy") or ("Never" if policy == "Never" else "OnFailure")
        return ContainerKeeper(self._world, self, spec, init=init, policy=policy)

    def _run(self) -> None:
        try:
            if not self.pod["metadata"].get("deletionTimestamp"):
                self._live()
            if not self.stopping.is_set():
                self.publish()
                self.stopping.wait()
            self._end()
        except Exception:  # a bug of ours must not look like a pod that hangs
            log.exception("pod %s", self.pod["metadata"]["name"])
        finally:
            self.finished.set()

    def _live(self) -> None:
        status = self.pod.get("status") or {}
        known = {one["name"]: one for kind in ("init", "") for one in status.get(_statuses(kind), [])}
        for keeper in [*self.init, *self.main]:
            keeper.adopt(known.get(keeper.seen.name))
        if status.get("phase") in ("Succeeded", "Failed"):
            return
        self.publish()
        if not self._prepared():
            return
        for keeper in self.init:
            if keeper.seen.sidecar:
                self._in_thread(keeper)
                while not keeper.started.wait(0.2) and not self.stopping.is_set():
                    pass
            elif not keeper.seen.over:
                keeper.run()
                if self.stopping.is_set():
                    return
                if not keeper.seen.over or keeper.seen.over["exitCode"] != 0:
                    return  # Never: the pod has failed
        self.publish()
        for thread in [self._in_thread(keeper) for keeper in self.main if not self._is_over(keeper)]:
            thread.join()
        if not self.stopping.is_set():
            self._end_sidecars()

    def _end_sidecars(self) -> None:
        """After the others, as the kubelet does it."""
        for keeper in (one for one in self.init if one.seen.sidecar):
            keeper.retire(self._grace())

    def _is_over(self, keeper: ContainerKeeper) -> bool:
        over, policy = keeper.seen.over, self.pod["spec"].get("restartPolicy", "Always")
        return over is not None and (policy == "Never" or (policy == "OnFailure" and over["exitCode"] == 0))

    def _in_thread(self, keeper: ContainerKeeper) -> threading.Thread:
        thread = threading.Thread(target=self._keep, args=(keeper,), name=f"container {keeper.seen.name}", daemon=True)
        thread.start()
        return thread

    def _keep(self, keeper: ContainerKeeper) -> None:
        try:
            keeper.run()
        except Exception:  # as in _run
            log.exception("container %s of %s", keeper.seen.name, self.pod["metadata"]["name"])

    def _prepared(self) -> bool:
        """Have the pod's network and volumes, however long it takes; False when the pod stops first."""
        while not self.stopping.is_set():
            try:
                self._prepare()
            except Trouble as trouble:
                self._world.events.write(self.pod, "Warning", trouble.event, trouble.message)
                self.stopping.wait(_RETRY * self._world.factor(self.pod["metadata"]["namespace"]))
            else:
                return True
        return False

    def _prepare(self) -> None:
        self.volumes.prepare(self.ip)  # a volume that is missing comes before the network, as in a kubelet
        self.ip = self._networked().network(self.pod)
        if self._world.engine is not None:
            for name, limit in self.volumes.in_memory.items():
                self._world.engine.memory_volume(name, limit)

    def _networked(self) -> Runtime:
        """The runtime that makes the pod's network: that of a container which really runs, when there is any."""
        every = [keeper.runtime for keeper in [*self.init, *self.main]]
        return next((one for one in every if not isinstance(one, Scripted)), every[0])

    def _stop(self) -> None:
        self.stopping.set()
        for keeper in [*self.init, *self.main]:
            keeper.wake()

    def _end(self) -> None:
        """Stop what runs, tell the API, and let the pod go."""
        seconds = 0.0 if self._removed else self._grace()
        began = time.monotonic()
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda keeper: keeper.stop(seconds), self.main))
            left = max(min(seconds, _LEAST), seconds - (time.monotonic() - began))  # sidecars share the grace
            list(pool.map(lambda keeper: keeper.stop(left), self.init))
        self.publish()
        if self._world.engine is not None:
            self._world.engine.remove(self.pod)
        self.volumes.remove()
        self._delete()
        self._world.events.forget(self.pod)

    def _delete(self) -> None:
        metadata = self.pod["metadata"]
        options: Object = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        while not self._removed:
            try:
                self._world.api.delete(path("pods", metadata["namespace"], metadata["name"]), options)
                return
            except (ApiFailure, urllib3.exceptions.HTTPError) as error:
                if isinstance(error, ApiFailure) and error.status in (404, 409):
                    return
                log.warning("deletion of %s: %s", metadata["name"], error)
            time.sleep(_AGAIN)

    def _grace(self) -> float:
        wanted = self.pod["metadata"].get("deletionGracePeriodSeconds")
        if wanted is None:
            wanted = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
        return float(wanted)

    def _status(self) -> Object:
        init, main = [one.seen for one in self.init], [one.seen for one in self.main]
        phase = statuses.phase(self.pod["spec"].get("restartPolicy", "Always"), init, main)
        if self.stopping.is_set() and all(one.over for one in main):
            phase = "Failed" if any(one.over["exitCode"] for one in main if one.over) else "Succeeded"
        before = (self._written or self.pod.get("status") or {}).get("conditions", [])
        conditions = statuses.conditions({one["type"]: one for one in before}, phase, self.ip, init, main)
        found: Object = {
            "phase": phase,
            "conditions": conditions,
            "observedGeneration": self.pod["metadata"].get("generation", 1),
            "hostIP": statuses.HOST_IP,
            "hostIPs": [{"ip": statuses.HOST_IP}, _REPLACE],
            "startTime": self._started,
            "qosClass": (self.pod.get("status") or {}).get("qosClass", "Burstable"),
            "containerStatuses": [one.status() for one in main],
        }
        found |= {"initContainerStatuses": [one.status() for one in init]} if init else {}
        return found | ({"podIP": self.ip, "podIPs": [{"ip": self.ip}, _REPLACE]} if self.ip else {})


def _statuses(kind: str) -> str:
    return "initContainerStatuses" if kind == "init" else "containerStatuses"
