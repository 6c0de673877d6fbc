"""Whether the namespace's ResourceQuotas and LimitRanges leave room for what a rollout adds. Pure.

Quotas with scopes are left out: whether a pod is in one is for admission to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from shipper_targets.kubernetes.amounts import amounts, show_amount, wanted_by
from shipper_targets.kubernetes.values import Object, at, mapping, name_of, objects, text

_KEYS = {"memory": "run.memory", "cpu": "run.cpu", "pods": "scale.min"}


def quota_problems(quotas: Iterable[Object], spec: Object, pods: int) -> Iterator[tuple[str, str]]:
    """(configuration key, message) for each amount that `pods` more pods of this spec would exceed."""
    asked = {"pods": Fraction(1), "count/pods": Fraction(1)}
    for which in ("requests", "limits"):
        for resource, value in wanted_by(spec, which).items():
            asked[f"{which}.{resource}"] = value
            if which == "requests":
                asked[resource] = value
    for quota in quotas:
        if at(quota, "spec", "scopes") or at(quota, "spec", "scopeSelector"):
            continue
        used = amounts(at(quota, "status", "used"))
        for resource, hard in amounts(at(quota, "spec", "hard")).items():
            more = asked.get(resource, Fraction(0)) * pods
            left = hard - used.get(resource, Fraction(0))
            left = max(left, Fraction(0))
            if more > left:
                shown, wanted = show_amount(resource, left), show_amount(resource, more)
                said = f"ResourceQuota {name_of(quota)} leaves {shown} of {resource}, "
                key = _KEYS.get(resource.rpartition(".")[2], "scale.min")
                yield key, f"{said}a rollout needs {wanted} more ({pods} pods)"


def limit_problems(ranges: Iterable[Object], spec: Object) -> Iterator[tuple[str, str]]:
    """(configuration key, message) for each container that a LimitRange of the namespace does not allow."""
    for one in ranges:
        for limit in objects(one, "spec", "limits"):
            if text(limit, "type") == "Container":
                for container in objects(spec, "containers"):
                    yield from _of_container(name_of(one), limit, container)


def _of_container(name: str, limit: Object, container: Object) -> Iterator[tuple[str, str]]:
    limits, requests = mapping(container, "resources", "limits"), mapping(container, "resources", "requests")
    defaults, default_requests = amounts(limit.get("default")), amounts(limit.get("defaultRequest"))
    high = {**defaults, **amounts(limits)}
    low = {**high, **default_requests, **amounts(limits), **amounts(requests)}
    for resource, most in amounts(limit.get("max")).items():
        if high.get(resource, Fraction(0)) > most:
            shown = show_amount(resource, high[resource])
            yield (
                _KEYS.get(resource, "run"),
                f"LimitRange {name} allows {show_amount(resource, most)} {resource}, not {shown}",
            )
    for resource, least in amounts(limit.get("min")).items():
        if resource in low and low[resource] < least:
            shown = show_amount(resource, low[resource])
            yield (
                _KEYS.get(resource, "run"),
                f"LimitRange {name} wants {show_amount(resource, least)} {resource}, not {shown}",
            )
