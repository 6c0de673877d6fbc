"""Amounts as the API server sends them ("250m", "1.5Gi", "1e3"), as exact numbers. Pure, never raises.

Source: apimachinery's pkg/api/resource, "Quantity".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from shipper_targets.kubernetes.values import Object, mapping, objects, text

Amounts = Mapping[str, Fraction]
"""Resource, such as cpu or nvidia.com/gpu, to how much of it."""

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?")
_SUFFIXES = {
    **{
        suffix: Fraction(1000) ** power
        for suffix, power in zip("numkMGTPE", (-3, -2, -1, 1, 2, 3, 4, 5, 6), strict=True)
    },
    **{f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}

_MOST = Fraction(10) ** 30
"""The API server itself takes no more than 2**63."""


def exact(value: Any) -> Fraction | None:
    """None for what is none."""
    found = _FORM.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if found is None:
        return None
    scale = _SUFFIXES[found[2]] if found[2] else Fraction(10) ** int(found[3] or 0)
    return max(-_MOST, min(_MOST, Fraction(found[1]) * scale))


def amount(value: Any) -> Fraction:
    """0 for what is none."""
    return exact(value) or Fraction(0)


def amounts(value: Any) -> dict[str, Fraction]:
    """Of a whole object such as `requests`."""
    return {str(name): amount(one) for name, one in mapping(value).items()}


def added(many: Iterable[Amounts]) -> dict[str, Fraction]:
    """The sum of each resource."""
    total: dict[str, Fraction] = {}
    for one in many:
        for name, value in one.items():
            total[name] = total.get(name, Fraction(0)) + value
    return total


def wanted_by(spec: Object, which: str = "requests") -> dict[str, Fraction]:
    """What a pod with this spec asks for; `which`: requests or limits.

    As the scheduler counts: its containers together, or one init container when that needs more; sidecars with both. A
    limit alone is a request too.
    """
    steady = [_of(one, which) for one in objects(spec, "containers")]
    sidecars: list[Amounts] = []
    peak: dict[str, Fraction] = {}
    for one in objects(spec, "initContainers"):
        if text(one, "restartPolicy") == "Always":
            sidecars.append(_of(one, which))
        else:
            peak = _highest(peak, added([*sidecars, _of(one, which)]))
    return added([_highest(added([*steady, *sidecars]), peak), amounts(spec.get("overhead"))])


def show_amount(resource: str, value: Fraction) -> str:
    """For people: 2, 1.5, 512 MB."""
    if resource.rpartition(".")[2] in ("memory", "ephemeral-storage", "storage"):
        from shipper.model.quantities import show_size

        return show_size(int(value))
    return str(int(value)) if value.denominator == 1 else f"{float(value):g}"


def _of(container: Object, which: str) -> dict[str, Fraction]:
    limits, requests = amounts(mapping(container, "resources", "limits")), mapping(container, "resources", "requests")
    return limits if which == "limits" else {**limits, **amounts(requests)}


def _highest(first: Amounts, second: Amounts) -> dict[str, Fraction]:
    zero = Fraction(0)
    return {name: max(first.get(name, zero), second.get(name, zero)) for name in (*first, *second)}
