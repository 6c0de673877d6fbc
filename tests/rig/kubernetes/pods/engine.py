"""Pods as containers of the Docker engine: one that holds the network, and the pod's own beside it.

What it gets wrong: no cgroup of the pod's own (limits hold per container), CPU requests are not enforced, processes and
IPC are never shared, a volume in memory is emptied when the last container that mounts it ends, GPUs are not given, and
nothing in a pod resolves or reaches the cluster's Services.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.rig.images import BASE
from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import engine_images, engine_leftovers, engine_options
from tests.rig.kubernetes.pods.engine_container import EngineContainer
from tests.rig.kubernetes.pods.runtime import Image, Plan, Running, StartFailed, Trouble

if TYPE_CHECKING:
    from docker import DockerClient

log = logging.getLogger(__name__)

NETWORK = "shipper-rig-pods"
LABEL = "shipper.rig.kubernetes"
"""On every container; its value says which stand-in's it is."""
_POD, _CONTAINER, _ATTEMPT = f"{LABEL}.pod", f"{LABEL}.container", f"{LABEL}.attempt"
_SANDBOX = "POD"
_AT_ONCE = 4


class Engine:
    """`state`, the process's folder, tells the containers of one cluster from those of another on the same engine."""

    def __init__(self, client: DockerClient, state: Path) -> None:
        self._client, self._state = client, str(state.resolve())
        self._owner = hashlib.sha256(self._state.encode()).hexdigest()[:16]
        engine_leftovers.clear(client)
        self._images = engine_images.Images(client)
        self._sandboxes: dict[str, tuple[str, str]] = {}
        self._watched: dict[str, EngineContainer] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._making = threading.BoundedSemaphore(_AT_ONCE)  # more at once only wait for each other in the engine
        threading.Thread(target=self._listen, name="engine events", daemon=True).start()

    def pull(self, reference: str, policy: str, pulling: Callable[[], None]) -> Image:
        return self._images.get(reference, policy, pulling)

    def network(self, pod: Object) -> str:
        uid = str(pod["metadata"]["uid"])
        if uid in self._sandboxes:
            return self._sandboxes[uid][1]
        if host := [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod["spec"].get(name)]:
            raise Trouble("ContainerCreating", f"the rig's nodes give no {host[0]}", "FailedCreatePodSandBox")
        found = self._mine(uid, _SANDBOX)
        with self._making:
            self._refuse_if_closed()
            container = str(found["Id"]) if found and found["State"] == "running" else self._make_sandbox(pod)
        inside = self._client.api.inspect_container(container)["NetworkSettings"]["Networks"][NETWORK]
        self._sandboxes[uid] = (container, str(inside["IPAddress"]))
        return str(inside["IPAddress"])

    def start(self, plan: Plan) -> Running:
        from docker.errors import APIError, DockerException

        uid = str(plan.pod["metadata"]["uid"])
        labels = self._labels(plan.pod, plan.container["name"], plan.attempt)
        sandbox = self._sandboxes[uid][0]
        with self._making:
            self._refuse_if_closed()
            try:
                made = self._create(
                    f"k8s_{plan.container['name']}_{uid}_{plan.attempt}",
                    engine_options.config(self._client, plan, sandbox, labels),
                )
            except DockerException as error:
                said = error.explanation if isinstance(error, APIError) else str(error)
                raise Trouble("CreateContainerError", f"Error response from daemon: {said}") from error
            running = EngineContainer(self._client, made, plan.termination_log, plan.container)
            with self._lock:
                self._watched[made] = running
            try:
                self._client.api.start(made)
            except APIError as error:
                running.remove()
                said = f"failed to create containerd task: failed to create shim task: {error.explanation}"
                raise StartFailed(said) from error
        running.begin()
        return running

    def find(self, pod: Object, container: str) -> tuple[Running, int] | None:
        found = self._mine(str(pod["metadata"]["uid"]), container)
        if found is None or found["State"] != "running":
            return None
        specs = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
        spec = next(one for one in specs if one["name"] == container)
        running = EngineContainer(self._client, str(found["Id"]), "", spec)
        running.begin()
        with self._lock:
            self._watched[str(found["Id"])] = running
        return running, int(found["Labels"][_ATTEMPT])

    def remove(self, pod: Object) -> None:
        uid = str(pod["metadata"]["uid"])
        self._sandboxes.pop(uid, None)
        self._remove(self._list(uid))
        for volume in self._client.api.volumes({"name": f"shipper-rig-{uid}-"})["Volumes"] or []:
            with _not_there():
                self._client.api.remove_volume(volume["Name"], force=True)

    def memory_volume(self, name: str, limit: int | None) -> None:
        """A volume that is a tmpfs of `limit` bytes, shared by the containers of a pod."""
        options = "mode=1777" + (f",size={limit}" if limit else "")
        settings = {"type": "tmpfs", "device": "tmpfs", "o": options}
        self._client.api.create_volume(name, driver="local", driver_opts=settings, labels={LABEL: self._owner})

    def clear(self, living: set[str]) -> int:
        """Remove the containers of pods that are no more; how many there were. `living` are pods' uids."""
        left = [one for one in self._list() if one["Labels"].get(_POD) not in living]
        self._remove(left)
        return len(left)

    def close(self) -> None:
        """Start nothing more, and remove everything."""
        self._closed = True
        for _ in range(_AT_ONCE):
            self._making.acquire()
        self.clear(set())

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Trouble("ContainerCreating", "the node is shutting down", "NodeShutdown")

    def _make_sandbox(self, pod: Object) -> str:
        from docker.errors import DockerException

        config = {
            "Image": BASE,
            "Entrypoint": ["sleep", "infinity"],
            "Hostname": pod["spec"].get("hostname") or str(pod["metadata"]["name"])[:63],
            "Labels": self._labels(pod, _SANDBOX, 0),
            "HostConfig": {"NetworkMode": NETWORK, "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"}},
        }
        try:
            made = self._create(f"k8s_{_SANDBOX}_{pod['metadata']['uid']}", config)
            self._client.api.start(made)
        except DockerException as error:
            said = f"Failed to create pod sandbox: {error}"
            raise Trouble("ContainerCreating", said, "FailedCreatePodSandBox") from error
        return made

    def _create(self, name: str, config: dict[str, Any]) -> str:
        """A container's id; one of that name which an earlier process left behind makes way."""
        from docker.errors import APIError

        for _ in range(2):
            try:
                made = self._client.api.create_container_from_config(config, name=name)  # type: ignore[no-untyped-call]
                return str(made["Id"])
            except APIError as error:
                if error.status_code != 409:
                    raise
                self._remove_one(name)
        raise Trouble("CreateContainerError", f"the engine does not let go of the name {name}")

    def _labels(self, pod: Object, container: str, attempt: int) -> dict[str, str]:
        return {
            LABEL: self._owner,
            engine_leftovers.STATE: self._state,
            _POD: str(pod["metadata"]["uid"]),
            _CONTAINER: container,
            _ATTEMPT: str(attempt),
            f"{LABEL}.name": f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
        }

    def _mine(self, uid: str, container: str) -> dict[str, Any] | None:
        """The newest container of that name."""
        found = [one for one in self._list(uid) if one["Labels"][_CONTAINER] == container]
        return max(found, key=lambda one: int(one["Labels"][_ATTEMPT]), default=None)

    def _list(self, uid: str = "") -> list[dict[str, Any]]:
        labels = [f"{LABEL}={self._owner}", *([f"{_POD}={uid}"] if uid else [])]
        found: list[dict[str, Any]] = self._client.api.containers(all=True, filters={"label": labels})
        return found

    def _remove(self, containers: list[dict[str, Any]]) -> None:
        """The pods' own first: they stand on the one that holds the network."""
        for sandboxes in (False, True):
            chosen = [one["Id"] for one in containers if (one["Labels"][_CONTAINER] == _SANDBOX) is sandboxes]
            if chosen:
                with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                    list(pool.map(self._remove_one, chosen))

    def _remove_one(self, container: str) -> None:
        with _not_there():
            self._client.api.remove_container(container, force=True, v=True)
        with self._lock:
            watched = self._watched.pop(container, None)
        if watched is not None:
            watched.ended.set()

    def _listen(self) -> None:
        """Hear of ends from the engine's own events; after a broken stream, look at every container."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        pause = threading.Event()
        while True:
            try:
                filters = {"event": ["die"], "label": f"{LABEL}={self._owner}"}
                stream = self._client.api.events(decode=False, filters=filters)
                with self._lock:
                    watched = list(self._watched.values())
                for one in watched:
                    one.look()
                for line in stream:
                    self._heard(json.loads(line)["id"])
            except (DockerException, RequestException, OSError, ValueError) as error:
                log.warning("engine events: %s", error)
            pause.wait(0.5)

    def _heard(self, container: str) -> None:
        with self._lock:
            found = self._watched.get(container)
        if found is not None:
            found.ended.set()


def is_local(client: DockerClient) -> bool:
    """Whether this machine has the engine's end of the network: not so with Docker Desktop, or over ssh."""
    _ensure_network(client)
    gateway = client.api.inspect_network(NETWORK)["IPAM"]["Config"][0]["Gateway"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((gateway, 0))
        except OSError:
            return False
    return True


def _ensure_network(client: DockerClient) -> None:
    from docker.errors import APIError

    if not client.api.networks(names=[f"^{NETWORK}$"]):
        with contextlib.suppress(APIError):  # another stand-in made it just now
            client.api.create_network(NETWORK, driver="bridge", check_duplicate=True)


def _not_there() -> contextlib.suppress:
    from docker.errors import APIError

    return contextlib.suppress(APIError)
