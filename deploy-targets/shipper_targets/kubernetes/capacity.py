"""Whether there is room: nodes that fit, free devices, and rollouts that would wait for room that they hold. Pure.

Only what a scheduler would look at first: node selector, taints, readiness, and the sums of requests. Affinities
are not judged: with these there may be less room than is said here, never more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from shipper_targets.kubernetes.amounts import Amounts, added, amounts, wanted_by
from shipper_targets.kubernetes.values import Object, at, is_true, mapping, name_of, objects, text

_ENDED = ("Succeeded", "Failed")


def platforms_of(nodes: Iterable[Object]) -> tuple[str, ...]:
    """Of the nodes that take pods: "linux/amd64", sorted."""
    usable = [one for one in nodes if at(one, "spec", "unschedulable") is not True]
    found = {
        f"{text(one, 'status', 'nodeInfo', 'operatingSystem') or 'linux'}/{architecture}"
        for one in usable
        if (architecture := text(one, "status", "nodeInfo", "architecture"))
    }
    return tuple(sorted(found))


def fitting(nodes: Iterable[Object], spec: Object) -> list[Object]:
    """Nodes that this pod may go to: ready, not cordoned, with the labels it wants and no taint it cannot bear."""
    wanted = mapping(spec, "nodeSelector")
    tolerations = objects(spec, "tolerations")
    return [
        node
        for node in nodes
        if at(node, "spec", "unschedulable") is not True
        and is_true(node, "Ready")
        and all(at(node, "metadata", "labels", key) == value for key, value in wanted.items())
        and all(_is_borne(taint, tolerations) for taint in objects(node, "spec", "taints"))
    ]


def largest(nodes: Iterable[Object], resource: str) -> Fraction:
    """The most that one node has of it, whoever uses it now."""
    return max(
        (amounts(at(node, "status", "allocatable")).get(resource, Fraction(0)) for node in nodes), default=Fraction(0)
    )


def slots(nodes: Iterable[Object], pods: Iterable[Object], wanted: Amounts) -> int:
    """How many more pods that want this fit now, node by node: two nodes with half a pod's room each are none."""
    used: dict[str, list[Amounts]] = {}
    for pod in pods:
        if text(pod, "status", "phase") not in _ENDED:
            each = {**wanted_by(mapping(pod, "spec")), "pods": Fraction(1)}
            used.setdefault(text(pod, "spec", "nodeName"), []).append(each)
    return sum(_slots(node, added(used.get(name_of(node), ())), wanted) for node in nodes)


def surge(wanted: int, value: int | str, *, up: bool) -> int:
    """A number of pods, or a percentage of them: rounded up for maxSurge, down for maxUnavailable.

    Source: deployment_util.go, ResolveFenceposts.
    """
    if isinstance(value, int):
        return value
    share = Fraction(int(value.removesuffix("%")) * wanted, 100)
    return math.ceil(share) if up else math.floor(share)


def needed_room(*, wanted: int, there: int, recreate: bool, beside: bool, max_surge: int, max_unavailable: int) -> int:
    """How many pods must find room at once before the rollout can go on, beside those that are `there`.

    `beside`: another Deployment, which needs all of its pods before it gets traffic.
    """
    if beside or there == 0:
        return wanted
    if recreate or max_unavailable > 0:
        return max(0, wanted - there)  # what is stopped first makes room
    return min(1, wanted) if max_surge > 0 else 0


def image_platform_problem(platforms: Sequence[str], wanted: str | None) -> tuple[str, str] | None:
    """(message, hint) when the image would not run; None when it would."""
    if wanted is None:
        if len(platforms) > 1:
            return (
                f"nodes are of several platforms: {', '.join(platforms)}",
                f'say which: [image] platform = "{platforms[0]}"',
            )
        return None
    short = "/".join(wanted.split("/")[:2])
    if platforms and short not in platforms:
        return (
            f"the image is to be built for {wanted}, nodes run {', '.join(platforms)}",
            f'platform = "{platforms[0]}"',
        )
    return None


def _slots(node: Object, used: Amounts, wanted: Amounts) -> int:
    there = amounts(at(node, "status", "allocatable"))
    zero = Fraction(0)
    asked = {**{name: value for name, value in wanted.items() if value > 0}, "pods": Fraction(1)}
    free = {name: there.get(name, zero) - used.get(name, zero) for name in asked if name != "pods" or name in there}
    return max(0, min((math.floor(room / asked[name]) for name, room in free.items()), default=0))


def _is_borne(taint: Object, tolerations: Sequence[Object]) -> bool:
    if text(taint, "effect") == "PreferNoSchedule":
        return True
    return any(_bears(one, taint) for one in tolerations)


def _bears(toleration: Object, taint: Object) -> bool:
    """Source: api/core/v1/toleration.go, ToleratesTaint."""
    if text(toleration, "effect") not in ("", text(taint, "effect")):
        return False
    key = text(toleration, "key")
    if key not in ("", text(taint, "key")):
        return False
    if text(toleration, "operator") == "Exists":
        return True
    return bool(key) and text(toleration, "value") == text(taint, "value")
