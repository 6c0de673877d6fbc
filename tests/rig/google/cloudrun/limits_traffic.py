"""Traffic targets.

Sources: TrafficTarget's description (percent, tag), run/docs/rollouts-rollbacks-traffic-migration (percents sum to
100), Knative's TrafficTarget validation (a revision name belongs to a named target only; tags unique), and RFC 1035 for
tags, which become a label of the host name `TAG---SERVICE-...`. The 46 characters that tag and service may have
together, and the words, are in firebase/firebase-tools#6137 and PolicyEngine/policyengine-api#3729. Not verified: that
a target without a type is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.cloud import run_v2

_TAG = re.compile(r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
_Type = run_v2.TrafficTargetAllocationType


def traffic_violations(service: run_v2.Service, service_id: str) -> Iterator[tuple[str, str]]:
    total, tags = 0, set[str]()
    for index, target in enumerate(service.traffic):
        path = f"traffic[{index}]"
        yield from _target_violations(path, target, service_id)
        if target.tag in tags:
            yield f"{path}.tag", f"The tag '{target.tag}' is used more than once."
        if target.tag:
            tags.add(target.tag)
        total += target.percent
    if total != 100:
        yield "traffic", f"Traffic targets must sum to 100, got {total}."


def _target_violations(path: str, target: run_v2.TrafficTarget, service_id: str) -> Iterator[tuple[str, str]]:
    if not 0 <= target.percent <= 100:
        yield f"{path}.percent", f"must be between 0 and 100, got {target.percent}"
    if target.type_ == _Type.TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED:
        yield f"{path}.type", "must be set"
    elif target.type_ == _Type.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION:
        if not target.revision:
            yield f"{path}.revision", "must be set for a target of a revision"
        elif "/" in target.revision:
            yield f"{path}.revision", f"'{target.revision}' must be the short name of a revision of this service"
    elif target.revision:
        yield f"{path}.revision", "must not be set for a target of the latest revision"
    if target.tag:
        if not _TAG.match(target.tag):
            yield f"{path}.tag", f"The tag '{target.tag}' is not a DNS label."
        elif len(target.tag) + len(service_id) > 46:
            problem = f"traffic tag '{target.tag}' and service name '{service_id}' together are too long. "
            yield f"{path}.tag", f"{problem}Combined traffic tag and service name cannot exceed 46 characters."
