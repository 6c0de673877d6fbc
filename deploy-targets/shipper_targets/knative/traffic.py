"""A Service's traffic: what is routed, what was asked for, and what to ask for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from shipper_targets.knative.conditions import has_routed, lacks_a_target, works_on_routes
from shipper_targets.knative.names import is_our_tag
from shipper_targets.knative.written import read_written
from shipper_targets.kubernetes.values import Object, number, objects, text

LATEST = "LATEST"
"""Instead of a revision's name, where somebody has asked for whatever is the newest (latestRevision: true)."""


def routed(service: Object) -> dict[str, int]:
    """Revision to percent, as the platform routes now."""
    weights: defaultdict[str, int] = defaultdict(int)
    for target in objects(service, "status", "traffic"):
        weights[text(target, "revisionName")] += number(target, "percent")
    return {name: weight for name, weight in weights.items() if name and weight}


def asked_for(service: Object) -> dict[str, int]:
    """Revision, or LATEST, to percent, as the spec says. No traffic at all means LATEST."""
    weights: defaultdict[str, int] = defaultdict(int)
    for target in objects(service, "spec", "traffic"):
        weights[text(target, "revisionName") or LATEST] += number(target, "percent")
    return {name: weight for name, weight in weights.items() if weight} or {LATEST: 100}


def about_to_serve(service: Object) -> dict[str, int]:
    """As routed; while the platform works on its very first route, as asked for: so it will be without us."""
    now = routed(service)
    return now if now or not works_on_routes(service) else _named(service)


def on_its_way(service: Object) -> dict[str, int]:
    """What somebody else has asked for while the platform works on it; empty when that is nothing.

    It does not serve yet, and may never: but it is not overwritten because it takes the platform a moment. Where
    shipper never wrote nobody can tell whose it is.
    """
    ours = read_written(service)
    if not works_on_routes(service) or ours is None or ours.traffic == asked_for(service):
        return {}
    wanted = _named(service)
    return wanted if wanted != routed(service) else {}


def is_unsettled(service: Object) -> bool:
    """Whether what is said to be routed is not so yet: Knative writes `status.traffic` before it gives the routes to
    the ingress, which answers as before until it has taken them.
    """
    if has_routed(service) or lacks_a_target(service) or not routed(service):
        return False
    latest = text(service, "status", "latestReadyRevisionName")
    asked: defaultdict[str, int] = defaultdict(int)
    for name, weight in asked_for(service).items():
        asked[latest if name == LATEST else name] += weight
    told = {text(one, "tag"): text(one, "revisionName") for one in objects(service, "status", "traffic")}
    return asked == routed(service) and tags(service) == {tag: name for tag, name in told.items() if tag}


def tags(service: Object) -> dict[str, str]:
    """Tag to revision, as asked for; of those that follow LATEST what that means now."""
    latest = text(service, "status", "latestReadyRevisionName")
    found = {text(one, "tag"): text(one, "revisionName") or latest for one in objects(service, "spec", "traffic")}
    return {tag: name for tag, name in found.items() if tag and name}


def foreign_tags(service: Object) -> dict[str, str]:
    """Those that somebody else has set: they stay."""
    return {tag: name for tag, name in tags(service).items() if not is_our_tag(tag)}


def kept_tags(service: Object, sharing: Collection[str]) -> dict[str, str]:
    """Others' tags, and ours of the revisions that share the traffic: a tag of a revision that is not ready would keep
    the platform from routing anything, and one of an idle revision keeps its smallest number of instances.
    """
    return {tag: name for tag, name in tags(service).items() if name in sharing or not is_our_tag(tag)}


def following(service: Object) -> list[str]:
    """Tags of others that follow LATEST: they go on doing so."""
    found = objects(service, "spec", "traffic")
    return sorted(text(one, "tag") for one in found if text(one, "tag") and not text(one, "revisionName"))


def follows_latest(service: Object) -> bool:
    """Whether traffic goes to whatever is the newest: then a write of the template alone would move it."""
    return LATEST in asked_for(service)


def targets(
    weights: Mapping[str, int], tagged: Mapping[str, str], latest: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The traffic to ask for: revisions by name only; `tagged`: tag to revision; `latest`: tags that follow LATEST.

    A revision with several tags has its weight in the first of its entries. LATEST never has any.
    """
    tagged = {tag: name for tag, name in tagged.items() if tag not in latest}
    made: list[dict[str, Any]] = [{"latestRevision": True, "percent": 0, "tag": tag} for tag in sorted(latest)]
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for tag, name in sorted(tagged.items()):
        by_name[name].append(tag)
    for name in sorted({*by_name, *(name for name, weight in weights.items() if weight)}):
        weight = weights.get(name, 0)
        for tag in by_name.get(name) or [""]:
            entry = {"revisionName": name, "latestRevision": False, "percent": weight}
            made.append({**entry, "tag": tag} if tag else entry)
            weight = 0
    return made


def show(weights: Mapping[str, int]) -> str:
    """For people: "web-4 90 %, web-5 10 %"."""
    return ", ".join(f"{name} {weight} %" for name, weight in sorted(weights.items())) or "nothing"


def _named(service: Object) -> dict[str, int]:
    """As asked for; LATEST is what will be the newest."""
    latest = text(service, "status", "latestCreatedRevisionName")
    weights: defaultdict[str, int] = defaultdict(int)
    for name, weight in asked_for(service).items():
        weights[latest if name == LATEST else name] += weight
    return {name: weight for name, weight in weights.items() if name}
