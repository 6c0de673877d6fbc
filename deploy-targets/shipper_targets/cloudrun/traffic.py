"""A service's traffic: what is routed, what was asked for, and what to ask for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from google.cloud.run_v2 import TrafficTarget, TrafficTargetAllocationType

from shipper_targets.cloudrun.names import is_our_tag, short_name
from shipper_targets.cloudrun.written import read_written

if TYPE_CHECKING:
    from google.cloud import run_v2

LATEST = "LATEST"
"""Instead of a revision's name, where somebody has asked for whatever is the newest."""

_REVISION = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
_LATEST = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


def routed(service: run_v2.Service) -> dict[str, int]:
    """Revision to percent, as the platform routes now."""
    weights: defaultdict[str, int] = defaultdict(int)
    for status in service.traffic_statuses:
        weights[short_name(status.revision or service.latest_ready_revision)] += status.percent
    return {name: weight for name, weight in weights.items() if name and weight}


def asked_for(service: run_v2.Service) -> dict[str, int]:
    """Revision, or LATEST, to percent, as the service's traffic says. No traffic at all means LATEST."""
    weights: defaultdict[str, int] = defaultdict(int)
    for target in service.traffic:
        weights[target.revision if target.type_ == _REVISION else LATEST] += target.percent
    return {name: weight for name, weight in weights.items() if weight} or {LATEST: 100}


def about_to_serve(service: run_v2.Service) -> dict[str, int]:
    """As routed; while the platform works on its very first route, as asked for: so it will be without us."""
    now = routed(service)
    return now if now or not service.reconciling else _named(service)


def on_its_way(service: run_v2.Service) -> dict[str, int]:
    """What somebody else has asked for while the platform works on it; empty when that is nothing.

    It does not serve yet, and may never: but it is not overwritten because it takes the platform a moment. Where
    shipper never wrote nobody can tell whose it is.
    """
    ours = read_written(service)
    if not service.reconciling or ours is None or ours.traffic == asked_for(service):
        return {}
    wanted = _named(service)
    return wanted if wanted != routed(service) else {}


def _named(service: run_v2.Service) -> dict[str, int]:
    """As asked for; LATEST is what will be the newest."""
    latest = short_name(service.latest_created_revision)
    weights: defaultdict[str, int] = defaultdict(int)
    for name, weight in asked_for(service).items():
        weights[latest if name == LATEST else name] += weight
    return {name: weight for name, weight in weights.items() if name}


def tags(service: run_v2.Service) -> dict[str, str]:
    """Tag to revision, as asked for; of those that follow LATEST what that means now."""
    latest = short_name(service.latest_ready_revision)
    found = {each.tag: each.revision if each.type_ == _REVISION else latest for each in service.traffic if each.tag}
    return {tag: name for tag, name in found.items() if name}


def foreign_tags(service: run_v2.Service) -> dict[str, str]:
    """Those that somebody else has set: they stay."""
    return {tag: name for tag, name in tags(service).items() if not is_our_tag(tag)}


def kept_tags(service: run_v2.Service, sharing: Collection[str]) -> dict[str, str]:
    """Others' tags, and ours of the revisions that share the traffic: a tag of a revision that is not ready would keep
    the platform from routing anything, and one of an idle revision may be billed.
    """
    return {tag: name for tag, name in tags(service).items() if name in sharing or not is_our_tag(tag)}


def following(service: run_v2.Service) -> list[str]:
    """Tags of others that follow LATEST: they go on doing so."""
    return sorted(each.tag for each in service.traffic if each.tag and each.type_ != _REVISION)


def targets(weights: Mapping[str, int], tagged: Mapping[str, str], latest: Collection[str] = ()) -> list[TrafficTarget]:
    """The traffic to ask for: revisions by name only; `tagged`: tag to revision; `latest`: tags that follow LATEST.

    A revision with several tags has its weight in the first of its entries. LATEST never has any.
    """
    tagged = {tag: name for tag, name in tagged.items() if tag not in latest}
    made = [TrafficTarget(type_=_LATEST, tag=tag) for tag in sorted(latest)]
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for tag, name in sorted(tagged.items()):
        by_name[name].append(tag)
    for name in sorted({*by_name, *(name for name, weight in weights.items() if weight)}):
        weight = weights.get(name, 0)
        for tag in by_name.get(name) or [""]:
            made.append(TrafficTarget(type_=_REVISION, revision=name, percent=weight, tag=tag))
            weight = 0
    return made


def show(weights: Mapping[str, int]) -> str:
    """For people: "web-4 90 %, web-5 10 %"."""
    return ", ".join(f"{name} {weight} %" for name, weight in sorted(weights.items())) or "nothing"
