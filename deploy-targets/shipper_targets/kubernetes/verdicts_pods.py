"""What one pod says about the rollout: its place, its volumes, its containers, its eviction. Pure, never raises.

Reasons and words are those of kube-scheduler, kubelet and cluster-autoscaler 1.34, as they stand in conditions and
events.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from shipper_targets.kubernetes.findings import Finding, failed, waiting, worst
from shipper_targets.kubernetes.pods import containers
from shipper_targets.kubernetes.pull_errors import pull_error
from shipper_targets.kubernetes.scheduling import NO_ROOM, scheduler_words, what_to_do
from shipper_targets.kubernetes.values import Object, condition, is_leaving, is_true, name_of, objects, text
from shipper_targets.kubernetes.verdicts_containers import SYNC_PATIENCE, container_finding

SANDBOX_PATIENCE = 60.0
"""Seconds for a node that cannot make a pod's network: another node's daemon may be starting."""

_GONE_OBJECT = re.compile(
    r"((?:secret|configmap|persistentvolumeclaim) \"[^\"]+\" not found|references non-existent \w+ key: \S+|"
    r"references non-existent config key: \S+)",
    re.IGNORECASE,
)
_SCALING_UP = ("TriggeredScaleUp", "Nominated")
_LIMIT = re.compile(r"exceed(?:s|ed) (?:the|its).*limit", re.IGNORECASE)
_AUTOSCALER = "an autoscaler may need longer: unschedulable_window"


def pod_finding(pod: Object, events: Sequence[Object], *, window: float) -> Finding | None:
    """The worst of what is to be said of it; None when it is as it should be, or on its way out.

    `events` are its own, oldest first; `window`: seconds for which the scheduler may find no node.
    """
    if is_leaving(pod):
        return None
    name = name_of(pod)
    if is_thrown_out(pod):
        return replace(_thrown_out(pod), pod=name)
    if text(condition(pod, "PodScheduled"), "status") == "False":
        return replace(_unscheduled(pod, events, window), pod=name)
    found = [
        *([replace(blocked, pod=name)] if (blocked := _blocked(pod, events)) is not None else []),
        *(one for container in containers(pod) if (one := container_finding(name, container, events)) is not None),
    ]
    return worst(found) or _quiet(pod, name)


def is_thrown_out(pod: Object) -> bool:
    """Whether its node ended it, or never took it: it will not come back, another one takes its place."""
    return text(pod, "status", "phase") == "Failed" and bool(text(pod, "status", "reason"))


def evictions(pods: Sequence[Object]) -> Finding | None:
    """Thrown out by two nodes, or again after it was replaced: no accident of one node. None for what may be one."""
    out = [pod for pod in pods if is_thrown_out(pod)]
    nodes = {text(pod, "spec", "nodeName") for pod in out}
    made_last = max((text(pod, "metadata", "creationTimestamp") for pod in out), default="")
    first_out = min((_out_since(pod) for pod in out), default="")
    if len(nodes) < 2 and not made_last > first_out > "":
        return None
    last = _thrown_out(out[-1])
    return replace(last.failed, reason=f"{len(out)} pods: {last.reason}", pod=name_of(out[-1]))


def _out_since(pod: Object) -> str:
    """RFC 3339 in UTC, which sorts as text; "" when nothing tells."""
    changed = (text(one, "lastTransitionTime") for one in objects(pod, "status", "conditions"))
    return max([*changed, text(pod, "status", "startTime")])


def _thrown_out(pod: Object) -> Finding:
    """Evicted by the kubelet, or refused by it: the ReplicaSet makes another one, on another node perhaps."""
    reason, said = text(pod, "status", "reason"), text(pod, "status", "message").strip()
    words = f"{reason}: {said}" if said else reason
    if reason == "Evicted" and _LIMIT.search(said):
        return failed("evicted", words, "raise the limit, or write less: /tmp and logs count too")
    hint = "the node lacked it: ask for what is really used, in [run] memory" if reason == "Evicted" else ""
    return waiting("evicted", words, hint)


def _unscheduled(pod: Object, events: Sequence[Object], window: float) -> Finding:
    found = condition(pod, "PodScheduled")
    said = text(found, "message").strip()
    if text(found, "reason") == "SchedulingGated":
        return waiting("no-capacity", "its scheduling is gated (spec.schedulingGates)")
    if (gone := _GONE_OBJECT.search(said)) is not None:
        return failed("config-missing", gone[1], "create it in this namespace, or correct the name")
    told = f"no node for it: {scheduler_words(said) or 'the scheduler gives no reason'}"
    to_do = what_to_do(pod, scheduler_words(said))
    reasons = [text(one, "reason") for one in events]
    if any(reason in _SCALING_UP for reason in reasons):
        return waiting("no-capacity", f"{told} (an autoscaler is adding a node)", to_do)
    hint = f"{to_do}; {_AUTOSCALER}" if to_do == NO_ROOM and "NotTriggerScaleUp" not in reasons else to_do
    return waiting("no-capacity", told, hint, patience=window)


def _blocked(pod: Object, events: Sequence[Object]) -> Finding | None:
    """Before the containers: a volume that cannot be mounted, a network that cannot be made."""
    if is_true(pod, "PodReadyToStartContainers") or any(one.is_running or one.ended for one in containers(pod)):
        return None
    for event in reversed(events):
        reason, said = text(event, "reason"), text(event, "message").strip()
        if reason in ("Started", "Created", "Pulled", "Pulling", "SuccessfulAttachVolume"):
            return None
        if reason in ("FailedMount", "FailedAttachVolume", "FailedMapVolume"):
            return _unmounted(said)
        if reason == "FailedCreatePodSandBox":
            return _no_sandbox(pod, said)
    return None


def _unmounted(said: str) -> Finding:
    if (gone := _GONE_OBJECT.search(said)) is not None and "failed to sync" not in said:
        return failed("config-missing", f"a volume cannot be mounted: {gone[1]}", "create it, or correct the name")
    patience = SYNC_PATIENCE if "failed to sync" in said else SANDBOX_PATIENCE * 2
    return waiting("volume", f"a volume cannot be mounted: {said}", patience=patience)


def _no_sandbox(pod: Object, said: str) -> Finding:
    told = f"its node cannot make the pod: {said}"
    if "failed to pull" in said or "get sandbox image" in said:
        return waiting(pull_error(said, "").cause, told, patience=SANDBOX_PATIENCE)
    return waiting("node", told, f"look at node {text(pod, 'spec', 'nodeName')}", patience=SANDBOX_PATIENCE)


def _quiet(pod: Object, name: str) -> Finding | None:
    if is_true(pod, "Ready"):
        return None
    gates = [text(gate, "conditionType") for gate in objects(pod, "spec", "readinessGates")]
    closed = [gate for gate in gates if not is_true(pod, gate)]
    told = f"waits for {', '.join(closed)}" if closed else "not started yet"
    return replace(waiting("not-ready", told), pod=name)
