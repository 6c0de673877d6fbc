"""How far a Deployment's rollout is, and which releases its pods are of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from shipper_targets.kubernetes.labels import NUMBER, RELEASE
from shipper_targets.kubernetes.pods import REVISION
from shipper_targets.kubernetes.values import Object, at, condition, mapping, name_of, number, owner_uid, text, uid_of

State = Literal["running", "stopped", "starting", "failed"]
DONE = "NewReplicaSetAvailable"
HASH = "pod-template-hash"
GIVEN_UP = "ProgressDeadlineExceeded"


def release_in(carrier: Object) -> str:
    """The release id that a Deployment or a ReplicaSet carries; "" when it is none of ours."""
    return text(carrier, "metadata", "annotations", RELEASE)


def number_in(carrier: Object) -> int:
    """The number of that release; -1 for none."""
    found = text(carrier, "metadata", "annotations", NUMBER)
    return int(found) if found.isdecimal() else -1


def wanted_pods(deployment: Object) -> int:
    """How many it should have."""
    return number(deployment, "spec", "replicas", default=1)


def is_complete(deployment: Object, sets: Sequence[Object] = ()) -> bool:
    """Whether every pod is of what was asked for last. `sets`: its ReplicaSets, among others'.

    Not whether they are well: a pod that crashes later, or an autoscaler at work, is no rollout. The condition's
    reason alone is not enough: when an old ReplicaSet is used again it stays what it was for a moment.
    """
    status = mapping(deployment, "status")
    observed = number(status, "observedGeneration") >= number(deployment, "metadata", "generation")
    # An annotation alone, such as our stamp, makes a new generation too: then its pods are what they were.
    if not observed and not _asks_for_nothing_else(deployment, sets_of(deployment, sets)):
        return False
    if wanted_pods(deployment) == 0:
        return number(status, "replicas") == 0
    updated = number(status, "updatedReplicas")
    # Without a deadline (of own manifests: the largest number) there is no such condition.
    progressing = condition(deployment, "Progressing")
    done = progressing.get("reason") == DONE if progressing else number(status, "availableReplicas") >= updated
    return done and 0 < updated == number(status, "replicas")


def state_of(deployment: Object, sets: Sequence[Object] = ()) -> State:
    """Of the release that it carries."""
    if wanted_pods(deployment) == 0:
        return "stopped"
    if is_complete(deployment, sets):
        return "running" if number(deployment, "status", "availableReplicas") > 0 else "failed"
    if condition(deployment, "Progressing").get("reason") == GIVEN_UP:
        return "failed"
    return "starting"


def under_way(deployment: Object, sets: Sequence[Object] = ()) -> str | None:
    """What an operation on it is called; None when there is none. Paused, it is nobody's operation but drift."""
    if at(deployment, "spec", "paused") is True or is_complete(deployment, sets):
        return None
    return f"rollout of {name_of(deployment)} to generation {number(deployment, 'metadata', 'generation')}"


def sets_of(deployment: Object, sets: Sequence[Object]) -> list[Object]:
    """The ReplicaSets of a Deployment."""
    return [one for one in sets if owner_uid(one) == uid_of(deployment) != ""]


def release_shares(deployment: Object, sets: Sequence[Object]) -> dict[str, int]:
    """Release id to the number of its pods that can answer; while a rollout is under way several have some.

    A complete one's release has all of it, whatever its pods do now. A ReplicaSet says which release it is of by the
    annotations that it has from the Deployment.
    """
    if is_complete(deployment, sets):
        return {release_in(deployment): 1} if wanted_pods(deployment) else {}
    shares: dict[str, int] = {}
    for one in sets_of(deployment, sets):
        if (available := number(one, "status", "availableReplicas")) > 0:
            shares[release_in(one)] = shares.get(release_in(one), 0) + available
    return shares


def _asks_for_nothing_else(deployment: Object, sets: Sequence[Object]) -> bool:
    """Whether every pod is of what the newest generation asks for, although nobody has looked at that one yet.

    A ReplicaSet that is used again is named the current one before its pods are counted: until then the Deployment's
    own figures are those of what it ran before.
    """
    pods = {name_of(one): number(one, "status", "replicas") for one in sets}
    current = [name_of(one) for one in sets if _is_current(deployment, one)]
    updated = number(deployment, "status", "updatedReplicas")
    return bool(current) and pods[current[0]] == sum(pods.values()) == updated


def _is_current(deployment: Object, one: Object) -> bool:
    """Whether this ReplicaSet is the one that was rolled out last, and has the template that is asked for now."""
    last = text(deployment, "metadata", "annotations", REVISION)
    return text(one, "metadata", "annotations", REVISION) == last != "" and _template(one) == _template(deployment)


def _template(carrier: Object) -> dict[str, Any]:
    """Without the label that tells the pods of ReplicaSets apart."""
    template = mapping(carrier, "spec", "template")
    metadata = mapping(template, "metadata")
    labels = {key: value for key, value in mapping(metadata, "labels").items() if key != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def percents(shares: dict[str, int], whole: int = 100) -> dict[str, int]:
    """The same proportions in percent, `whole` in all; what has anything keeps at least nothing, never less."""
    total = sum(shares.values())
    if total <= 0:
        return {}
    exact = {name: share * whole / total for name, share in shares.items()}
    rounded = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda one: (rounded[one] - exact[one], one))[: whole - sum(rounded.values())]:
        rounded[name] += 1
    return {name: value for name, value in rounded.items() if value}
