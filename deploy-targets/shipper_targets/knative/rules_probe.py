"""What Knative refuses of a probe: its own proxy asks for readiness, with rules of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from shipper_targets.knative.violations import Path, Violation, not_of, unknown
from shipper_targets.kubernetes.values import Object, mapping, number

_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_KNOWN = (*_HANDLERS, *_NUMBERS, "terminationGracePeriodSeconds")


def probe_violations(path: Path, probe: Object, port_name: str, readiness: bool) -> Iterator[Violation]:
    """`port_name`: what a probe may call the container's port."""
    yield from unknown(path, probe, _KNOWN)
    for member in _NUMBERS:
        yield from not_of((*path, member), probe.get(member), "number")
    given = [kind for kind in _HANDLERS if probe.get(kind) is not None]
    if len(given) > 1 or (not given and not readiness):  # readiness without a question gets one from the webhook
        yield Violation(path, f"has to ask in one way of {', '.join(_HANDLERS)}")
    for kind in ("httpGet", "tcpSocket"):
        port = mapping(probe, kind).get("port")
        if isinstance(port, str) and port and port != port_name:
            yield Violation((*path, kind, "port"), f"{port} is not the container's port")
    if readiness:
        yield from _readiness(path, probe)


def _readiness(path: Path, probe: Object) -> Iterator[Violation]:
    period = number(probe, "periodSeconds")
    for member in ("periodSeconds", "initialDelaySeconds", "successThreshold"):
        if number(probe, member) < 0:
            yield Violation((*path, member), f"{number(probe, member)} is less than 0")
    for member in ("failureThreshold", "timeoutSeconds"):
        value = number(probe, member)
        if period == 0 and value != 0:
            yield Violation((*path, member), "is not allowed where periodSeconds is 0, Knative's own way of asking")
        elif period > 0 and value < 0:
            yield Violation((*path, member), f"{value} is less than 1")
