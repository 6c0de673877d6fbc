"""What holds for the whole service (ingress, access, the smallest number of instances): it comes and goes with the
release that has all of the traffic. Pure.
"""

from __future__ import annotations

from collections.abc import Collection

from google.cloud import run_v2

from shipper_targets.cloudrun.written import UNTOLD, Written, fields_of

PATHS = {"ingress": "ingress", "public": "invoker_iam_disabled", "least": "scaling.min_instance_count"}
"""Fields of Written to paths of the service."""


def by_hand(service: run_v2.Service, ours: Written) -> frozenset[str]:
    """Which of these somebody has changed since we wrote last, as fields of Written."""
    found = fields_of(service, {}, "")
    values = {name: (getattr(ours, name), getattr(found, name)) for name in PATHS}
    return frozenset(name for name, (was, now) in values.items() if was != now and UNTOLD not in (was, now))


def remembered(service: run_v2.Service) -> str:
    """As text, for an annotation: so that what served before shipper gets it back."""
    return str(run_v2.Service.to_json(_only(service), indent=None))


def recalled(text: str) -> run_v2.Service | None:
    """The same from its text; None when that is no such text."""
    from google.protobuf.json_format import ParseError

    try:
        return _only(run_v2.Service.from_json(text))
    except (ParseError, ValueError):
        return None


def _only(service: run_v2.Service) -> run_v2.Service:
    return run_v2.Service(
        ingress=service.ingress,
        invoker_iam_disabled=service.invoker_iam_disabled,
        scaling=run_v2.ServiceScaling(min_instance_count=service.scaling.min_instance_count),
    )


def take(service: run_v2.Service, wanted: run_v2.Service, kept: Collection[str] = ()) -> tuple[str, ...]:
    """Set what differs but for `kept`, in place; returns the paths to write."""
    now, then = fields_of(service, {}, ""), fields_of(wanted, {}, "")
    differing = [name for name in PATHS if getattr(now, name) != getattr(then, name) and name not in kept]
    for name in differing:
        if name == "ingress":
            service.ingress = wanted.ingress
        elif name == "public":
            service.invoker_iam_disabled = wanted.invoker_iam_disabled
        else:
            service.scaling.min_instance_count = wanted.scaling.min_instance_count
    return tuple(PATHS[name] for name in differing)
