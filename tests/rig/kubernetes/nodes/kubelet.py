"""All pods that are bound to our nodes, each with a keeper."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from tests.rig.kubernetes.nodes.apiserver import ApiServer, Object, path
from tests.rig.kubernetes.nodes.watching import Watched
from tests.rig.kubernetes.pods.container_keeper import ContainerKeeper
from tests.rig.kubernetes.pods.pod_keeper import PodKeeper
from tests.rig.kubernetes.pods.runtime import LogQuery
from tests.rig.kubernetes.pods.world import World


class NoLog(Exception):
    """There is no such log, in the kubelet's words. `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Kubelet:
    """`ours` says whether a node's name is one of ours."""

    def __init__(self, api: ApiServer, world: World, ours: Callable[[str], bool]) -> None:
        self._world, self._ours = world, ours
        self._keepers: dict[str, PodKeeper] = {}
        self._lock = threading.Lock()
        self._pods = Watched(api, path("pods"), self._heard)

    @property
    def listed(self) -> threading.Event:
        """Set when every pod that was there at the start has a keeper."""
        return self._pods.listed

    def logs(self, namespace: str, pod: str, container: str, previous: bool, query: LogQuery) -> Iterator[bytes]:
        """What GET /containerLogs answers. Raises NoLog."""
        keeper = self._container(namespace, pod, container)
        who = f'container "{container}" in pod "{pod}"'
        if previous:
            running = keeper.current if "waiting" in keeper.seen.state else keeper.previous  # the newest dead one
            if running is None:
                raise NoLog(400, f"previous terminated {who} not found")
            return running.logs(query)
        if keeper.current is not None:
            return keeper.current.logs(query)
        reason = keeper.seen.state.get("waiting", {}).get("reason", "no logs yet")
        said = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
        raise NoLog(400, f"{who} is waiting to start: {said.get(reason, reason)}")

    def kill(self, namespace: str, pod: str, container: str = "") -> None:
        """SIGKILL to a container's process, as from the kernel. Raises NoLog when it does not run."""
        if not container:
            found = self._find(namespace, pod)
            container = found.main[0].seen.name
        running = self._container(namespace, pod, container).current
        if running is None or running.ended.is_set():
            raise NoLog(409, f"{container} of {pod} does not run")
        running.kill()

    def status(self) -> list[dict[str, Any]]:
        """Every pod that has a keeper."""
        with self._lock:
            keepers = list(self._keepers.values())
        return [
            {
                "namespace": one.pod["metadata"]["namespace"],
                "name": one.pod["metadata"]["name"],
                "node": one.pod["spec"].get("nodeName"),
                "ip": one.ip,
                "containers": {keeper.seen.name: keeper.seen.state for keeper in [*one.init, *one.main]},
                "on": {keeper.seen.name: type(keeper.runtime).__name__ for keeper in [*one.init, *one.main]},
            }
            for one in keepers
        ]

    def _heard(self, kind: str, pod: Object) -> None:
        uid = str(pod["metadata"]["uid"])
        with self._lock:
            keeper = self._keepers.get(uid)
            if kind == "DELETED":
                self._keepers.pop(uid, None)
            elif keeper is None and self._ours(str(pod["spec"].get("nodeName", ""))):
                self._take(uid, pod)
                return
        if keeper is not None and kind == "DELETED":
            keeper.gone()
        elif keeper is not None:
            keeper.update(pod)

    def _take(self, uid: str, pod: Object) -> None:
        try:
            self._keepers[uid] = keeper = PodKeeper(self._world, pod)
        except ValueError as error:  # a label that says nothing known
            self._world.events.write(pod, "Warning", "FailedCreatePodSandBox", str(error))
            return
        keeper.start()

    def _find(self, namespace: str, pod: str) -> PodKeeper:
        found = self._pods.get(namespace, pod)
        with self._lock:
            keeper = self._keepers.get(str(found["metadata"]["uid"])) if found else None
        if keeper is None:
            raise NoLog(404, f'pod "{pod}_{namespace}" not found')
        return keeper

    def _container(self, namespace: str, pod: str, container: str) -> ContainerKeeper:
        keeper = self._find(namespace, pod).keeper(container)
        if keeper is None:
            raise NoLog(404, f'container "{container}" not found in pod "{pod}"')
        return keeper
