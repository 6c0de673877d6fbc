"""A pod's status from the states of its containers (pure). From pkg/kubelet/kubelet_pods.go and status/generate.go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods.events import stamp
from tests.rig.kubernetes.pods.runtime import Exit

HOST_IP = "127.0.0.1"


@dataclass
class Seen:
    """What is known about one container. `state` and `last` are ContainerStates."""

    name: str
    image: str
    state: Object
    last: Object = field(default_factory=dict)
    image_id: str = ""
    container_id: str = ""
    restarts: int = 0
    ready: bool = False
    started: bool = False
    sidecar: bool = False
    """An init container with restartPolicy Always."""

    def status(self) -> Object:
        found: Object = {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }
        return found | ({"containerID": self.container_id} if self.container_id else {})

    @property
    def over(self) -> Object | None:
        """The terminated state, when that is the one it is in."""
        return self.state.get("terminated")


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def running(since: datetime) -> Object:
    return {"running": {"startedAt": stamp(since)}}


def terminated(ended: Exit, since: datetime, container_id: str) -> Object:
    return {
        "terminated": {
            "exitCode": ended.code,
            "reason": ended.reason,
            "startedAt": stamp(since),
            "finishedAt": stamp(ended.at),
            "containerID": container_id,
        }
        | ({"message": ended.message} if ended.message else {})
    }


def phase(policy: str, init: Sequence[Seen], main: Sequence[Seen]) -> str:
    """Pending, Running, Succeeded or Failed."""
    for one in (one for one in init if not one.sidecar):
        if one.over and one.over["exitCode"] != 0 and policy == "Never":
            return "Failed"
        if not one.over or one.over["exitCode"] != 0:
            return "Pending"
    if all(one.over for one in main):
        codes = [one.over["exitCode"] for one in main if one.over]
        if policy == "Always" or (policy == "OnFailure" and any(codes)):
            return "Running"
        return "Failed" if any(codes) else "Succeeded"
    if any("waiting" in one.state and not one.last for one in main):
        return "Pending"
    return "Running"


def conditions(
    before: Mapping[str, Object], phase: str, ip: str, init: Sequence[Seen], main: Sequence[Seen]
) -> list[Object]:
    """The kubelet's four conditions; times change only with the status. `before` are the conditions so far, by type."""
    sidecars = [one for one in init if one.sidecar]
    incomplete = [one.name for one in init if not one.sidecar and not (one.over and one.over["exitCode"] == 0)]
    incomplete += [one.name for one in sidecars if not one.started]
    unready = [one.name for one in [*sidecars, *main] if not one.ready]
    initialized: tuple[bool, str, str] = (True, "", "")
    if incomplete:
        names = " ".join(incomplete)
        initialized = (False, "ContainersNotInitialized", f"containers with incomplete status: [{names}]")
    ready: tuple[bool, str, str] = (True, "", "")
    if phase == "Succeeded":
        initialized, ready = (True, "PodCompleted", ""), (False, "PodCompleted", "")
    elif phase == "Failed":
        ready = (False, "PodFailed", "")
    elif unready:
        ready = (False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    facts = {
        "PodReadyToStartContainers": (bool(ip), "", ""),
        "Initialized": initialized,
        "Ready": ready,
        "ContainersReady": ready,
    }
    return [_condition(kind, *fact, before.get(kind)) for kind, fact in facts.items()]


def _condition(kind: str, holds: bool, reason: str, message: str, before: Object | None) -> Object:
    status = "True" if holds else "False"
    changed = before is None or before.get("status") != status
    return {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": stamp() if changed or before is None else before["lastTransitionTime"],
        "reason": reason or None,
        "message": message or None,
    }
