"""The nodes themselves: registered, kept alive by leases and heartbeats, changed by hand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import urllib3

from tests.rig.kubernetes.nodes.apiserver import STRATEGIC, ApiFailure, ApiServer, Object, path
from tests.rig.kubernetes.pods.events import stamp
from tests.rig.kubernetes.pods.statuses import HOST_IP

log = logging.getLogger(__name__)

LABEL = "rig.shipper.dev/node"
"""On every node of ours: a stand-in that starts again finds those that were added by hand."""

_LEASES = "coordination.k8s.io/v1"
_LEASE_SECONDS, _BEAT, _STATUS_EVERY = 40, 10.0, 6
_ROOM = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
_INFO = {
    **dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "osImage"), "rig"),
    "containerRuntimeVersion": "docker://rig",
    "kubeletVersion": "v1.34.3",
    "kubeProxyVersion": "",
    "operatingSystem": "linux",
    "architecture": "amd64",
}
_GOOD = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}


class Machines:
    """`port` is where the kubelet's endpoints of every node answer."""

    def __init__(self, api: ApiServer, port: int) -> None:
        self._api, self._port = api, port
        self._names: set[str] = set()
        self._beating = threading.Event()

    def start(self) -> None:
        """Take over the nodes of an earlier process, and have the four that are always there."""
        for node in self._api.get(path("nodes"), labelSelector=LABEL)["items"]:
            self._names.add(str(node["metadata"]["name"]))
        for number, letter in enumerate("abc"):
            self.add(f"node-{letter}", zone=f"zone-{number + 1}")
        gpu = {"nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.present": "true"}
        self.add("gpu-a", {"nvidia.com/gpu": "2"}, gpu, zone="zone-1")
        threading.Thread(target=self._beat, name="heartbeats", daemon=True).start()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def names(self) -> list[str]:
        return sorted(self._names)

    def add(
        self,
        name: str,
        allocatable: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Mapping[str, str]] = (),
        zone: str = "zone-1",
    ) -> None:
        """Register a node; one that is there keeps its labels and taints and gets the room that is given here."""
        own = {
            LABEL: "true",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/zone": zone,
            "topology.kubernetes.io/region": "rig",
        }
        body: Object = {"metadata": {"name": name, "labels": {**own, **(labels or {})}}}
        body["spec"] = {"taints": [dict(taint) for taint in taints]}
        try:
            self._api.create(path("nodes"), body)
        except ApiFailure as failure:
            if failure.status != 409:
                raise
        self._names.add(name)
        self._status(name, {**_ROOM, **(allocatable or {})})
        self._lease(name)

    def remove(self, name: str) -> None:
        """Delete the node; its pods are the pod garbage collector's, as in a cluster that scales down."""
        self._names.discard(name)
        self._api.delete(path("nodes", name=name))

    def cordon(self, name: str, *, on: bool = True) -> None:
        self._api.patch(path("nodes", name=name), {"spec": {"unschedulable": on}})

    def taint(self, name: str, taints: Sequence[Mapping[str, str]]) -> None:
        """These taints and no others."""
        self._api.patch(path("nodes", name=name), {"spec": {"taints": [dict(taint) for taint in taints]}})

    def _beat(self) -> None:
        turn = 0
        while not self._beating.wait(_BEAT):
            turn += 1
            for name in self.names():
                try:
                    self._lease(name)
                    if turn % _STATUS_EVERY == 0:
                        self._status(name, None)
                except (ApiFailure, urllib3.exceptions.HTTPError) as error:
                    log.warning("heartbeat of %s: %s", name, error)

    def _status(self, name: str, room: Mapping[str, str] | None) -> None:
        now = stamp()
        conditions = [
            {"type": kind, "status": holds, "reason": reason, "message": said, "lastHeartbeatTime": now}
            for kind, (holds, reason, said) in _GOOD.items()
        ]
        status: dict[str, Any] = {
            "conditions": [one | {"lastTransitionTime": now} if room else one for one in conditions],
            "addresses": [{"type": "InternalIP", "address": HOST_IP}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": _INFO,
        }
        status |= {"capacity": dict(room), "allocatable": dict(room)} if room else {}
        self._api.patch(path("nodes", name=name, sub="status"), {"status": status}, STRATEGIC)

    def _lease(self, name: str) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": name, "leaseDurationSeconds": _LEASE_SECONDS, "renewTime": now}
        address = path("leases", "kube-node-lease", name, group=_LEASES)
        try:
            self._api.patch(address, {"spec": spec})
        except ApiFailure as failure:
            if failure.status != 404:
                raise
            body = {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": spec}
            self._api.create(path("leases", "kube-node-lease", group=_LEASES), body)
