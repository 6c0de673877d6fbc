"""Objects as the API server sends them, for tests of what is made of them: short here, complete where it matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shipper_targets.kubernetes.labels import RELEASE
from shipper_targets.kubernetes.verdicts import Facts

Json = dict[str, Any]
RELEASE_ID = "01M7Z6KKGHFZM5B2GX6JWMRERD"
IMAGE = "registry.example.com/team/shop@sha256:0123"
TEMPLATE: Json = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "main", "image": IMAGE}], "initContainers": [{"name": "init", "image": IMAGE}]},
}


def deployment(
    *,
    replicas: int = 1,
    updated: int = 0,
    total: int | None = None,
    available: int = 0,
    generation: int = 2,
    observed: int = 2,
    conditions: Sequence[Json] = (),
    release: str = RELEASE_ID,
    template: Json = TEMPLATE,
    **spec: Any,
) -> Json:
    """Of the service "shop"; `total` are all of its pods, `updated` those of the newest template."""
    return {
        "metadata": {"name": "shop", "uid": "d", "generation": generation, "annotations": {RELEASE: release}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template,
            "progressDeadlineSeconds": 60,
            **spec,
        },
        "status": {
            "observedGeneration": observed,
            "replicas": updated if total is None else total,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "conditions": list(conditions),
        },
    }


def replica_set(
    uid: str = "rs", template: Json = TEMPLATE, *, revision: str = "", conditions: Sequence[Json] = (), **meta: Any
) -> Json:
    """Of that Deployment, with the label that its controller adds to the template."""
    labels = {**template["metadata"]["labels"], "pod-template-hash": uid}
    return {
        "metadata": {
            "name": f"shop-{uid}",
            "uid": uid,
            "generation": 1,
            "creationTimestamp": "2026-11-21T10:00:00Z",
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"uid": "d", "controller": True}],
            **meta,
        },
        "spec": {"template": {**template, "metadata": {**template["metadata"], "labels": labels}}},
        "status": {"observedGeneration": 1, "conditions": list(conditions)},
    }


def pod(
    name: str = "shop-rs-a",
    *,
    owner: str = "rs",
    main: Json | None = None,
    init: Json | None = None,
    conditions: Sequence[Json] = (),
    status: Mapping[str, Any] | None = None,
    **meta: Any,
) -> Json:
    """Its uid is its name. `main` and `init`: the containers' statuses, without their names."""
    return {
        "metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": owner, "controller": True}], **meta},
        "spec": TEMPLATE["spec"],
        "status": {
            "phase": "Pending",
            "conditions": [condition("PodScheduled", "True"), *conditions],
            "initContainerStatuses": [{"name": "init", **init}] if init is not None else [],
            "containerStatuses": [{"name": "main", **main}] if main is not None else [],
            **(status or {}),
        },
    }


def condition(kind: str, status: str, reason: str = "", message: str = "") -> Json:
    """One of a status."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def waiting(reason: str, message: str = "", *, restarts: int = 0, ended: Json | None = None) -> Json:
    """A container that does not run; `ended`: how it ended the last time."""
    last = {"lastState": {"terminated": ended}} if ended else {}
    state = {"waiting": {"reason": reason, "message": message}}
    return {"ready": False, "restartCount": restarts, "state": state, **last}


def terminated(code: int, reason: str = "Error", *, restarts: int = 0, message: str = "") -> Json:
    """A container that has ended just now."""
    return {"ready": False, "restartCount": restarts, "state": {"terminated": end(code, reason, message)}}


def running(*, ready: bool = False, restarts: int = 0, ended: Json | None = None) -> Json:
    """A container that runs."""
    last = {"lastState": {"terminated": ended}} if ended else {}
    return {"ready": ready, "restartCount": restarts, "state": {"running": {"startedAt": "x"}}, **last}


def end(code: int, reason: str = "Error", message: str = "") -> Json:
    """How a container ended, two seconds after its start."""
    return {
        "exitCode": code,
        "reason": reason,
        "message": message,
        "startedAt": "2026-11-21T10:00:00Z",
        "finishedAt": "2026-11-21T10:00:02Z",
    }


def event(reason: str, message: str, *, count: int = 1) -> Json:
    """About a pod."""
    return {"reason": reason, "message": message, "count": count}


def facts(
    *pods: Json, of: Json | None = None, sets: Sequence[Json] | None = None, events: Sequence[Json] = ()
) -> Facts:
    """All pods have the same events."""
    return Facts(
        of if of is not None else deployment(updated=len(pods)),
        [replica_set()] if sets is None else sets,
        pods,
        {one["metadata"]["uid"]: events for one in pods},
    )
