"""Pods, their containers and the ReplicaSet that they belong to, as the API server tells of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shipper_targets.kubernetes.values import (
    Object,
    at,
    by_age,
    is_leaving,
    is_true,
    mapping,
    name_of,
    number,
    objects,
    owner_uid,
    text,
    uid_of,
)

REVISION = "deployment.kubernetes.io/revision"
"""Annotation by which the Deployment controller counts its ReplicaSets."""

TEMPLATE_HASH = "pod-template-hash"


@dataclass(frozen=True)
class Container:
    """One container of a pod: its status, and what its pod asked for. `init`: it has to end before the others start."""

    status: Object
    spec: Object
    init: bool

    @property
    def name(self) -> str:
        """Its name in the pod."""
        return text(self.status, "name")

    @property
    def image(self) -> str:
        """The reference that was asked for."""
        return text(self.spec, "image") or text(self.status, "image")

    @property
    def waiting(self) -> Object:
        """Why it does not run; empty when it runs or has ended."""
        return mapping(self.status, "state", "waiting")

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return isinstance(at(self.status, "state", "running"), dict)

    @property
    def is_ready(self) -> bool:
        """Whether its probes said so."""
        return self.status.get("ready") is True

    @property
    def restarts(self) -> int:
        """How often the kubelet has started it again."""
        return number(self.status, "restartCount")

    @property
    def ended(self) -> Object:
        """How it ended, now or the last time before it was started again; empty when it never has."""
        return mapping(self.status, "state", "terminated") or mapping(self.status, "lastState", "terminated")

    @property
    def ended_before(self) -> bool:
        """Whether what `ended` tells, and its log, are those of the container before the one that is there now."""
        return not mapping(self.status, "state", "terminated") and bool(self.ended)

    @property
    def goes_on(self) -> bool:
        """A sidecar among the init containers, which is to keep running."""
        return not self.init or text(self.spec, "restartPolicy") == "Always"


def containers(pod: Object) -> Iterator[Container]:
    """Init containers first, as they are started. Only those that the kubelet has told of."""
    for init, statuses, specs in (
        (True, "initContainerStatuses", "initContainers"),
        (False, "containerStatuses", "containers"),
    ):
        wanted = {text(spec, "name"): spec for spec in objects(pod, "spec", specs)}
        for status in objects(pod, "status", statuses):
            yield Container(status, wanted.get(text(status, "name"), {}), init)


def is_ready(pod: Object) -> bool:
    """Whether it may be asked: ready, and not on its way out."""
    return is_true(pod, "Ready") and not is_leaving(pod)


def is_running(pod: Object) -> bool:
    """Whether it has an address and is not on its way out."""
    return text(pod, "status", "phase") == "Running" and bool(text(pod, "status", "podIP")) and not is_leaving(pod)


def newest_set(deployment: Object, sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's template as it is now; None when there is none yet.

    As the Deployment controller finds it: of its own sets the oldest one with an equal template (deployment_util.go,
    FindNewReplicaSet). The revision annotation decides where a default of a newer API server makes them differ. Only
    after `observedGeneration` has caught up: before that the annotation still names the set before.
    """
    own = by_age(one for one in sets if owner_uid(one) == uid_of(deployment) != "")
    wanted = _template(deployment)
    same = next((one for one in own if _template(one) == wanted), None)
    if same is not None:
        return same
    revision = at(deployment, "metadata", "annotations", REVISION)
    return next((one for one in own if revision and at(one, "metadata", "annotations", REVISION) == revision), None)


def pods_of(owner: Object, pods: Iterable[Object]) -> list[Object]:
    """The pods that a ReplicaSet or a Job owns, oldest first."""
    return by_age(pod for pod in pods if owner_uid(pod) == uid_of(owner) != "")


def selector_of(workload: Object) -> str:
    """The workload's own selector as a query: `a=b,c in (d,e)`."""
    selector = mapping(workload, "spec", "selector")
    parts = [f"{key}={value}" for key, value in sorted(mapping(selector, "matchLabels").items())]
    for one in objects(selector, "matchExpressions"):
        values = at(one, "values")
        parts.append(_expression(text(one, "key"), text(one, "operator"), values if isinstance(values, list) else []))
    return ",".join(part for part in parts if part)


def short_name(pod: Object) -> str:
    """The end of a pod's name, which differs among the pods of one workload."""
    return name_of(pod).rpartition("-")[2]


def _expression(key: str, operator: str, values: Sequence[Any]) -> str:
    listed = ",".join(str(value) for value in values)
    return {
        "In": f"{key} in ({listed})",
        "NotIn": f"{key} notin ({listed})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }.get(operator, "")


def _template(workload: Object) -> object:
    """The pod template without what the controller adds to tell its ReplicaSets apart."""
    template = mapping(workload, "spec", "template")
    metadata = mapping(template, "metadata")
    labels = {key: value for key, value in mapping(metadata, "labels").items() if key != TEMPLATE_HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}
