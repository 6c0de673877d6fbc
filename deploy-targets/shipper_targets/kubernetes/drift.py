"""Drift: what we applied, and somebody else has changed since. Pure.

Only fields that are in what was applied are looked at: what the API server fills in, what others added, and the count
that an autoscaler owns are not ours. Where the traffic is, the objects that move it say themselves (annotation).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shipper.model import Drift
from shipper.model.json_text import parse_json
from shipper_targets.kubernetes.amounts import exact
from shipper_targets.kubernetes.found import Found, is_route
from shipper_targets.kubernetes.labels import INSTANCE, MANAGER, NUMBER, RELEASE, WORKLOAD
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.rollouts import release_in, wanted_pods
from shipper_targets.kubernetes.scaling import scales
from shipper_targets.kubernetes.showing import shown
from shipper_targets.kubernetes.values import Object, at, is_leaving, leaving, managers_of, mapping, name_of, text

REPLICAS = "shipper.dev/replicas"
"""Annotation of a Deployment: the number of pods that shipper asked for after it was applied."""

TRAFFIC = "shipper.dev/traffic"
"""Annotation of the Service and of the HTTPRoute: what shipper asked of it last, as JSON {name: weight}."""

NOTHING = "(nothing)"
_KEYS = ("name", "mountPath", "key", "containerPort", "port", "topologyKey", "type")
"""By which members of a list are told apart, as server-side apply does for the lists that manifests here have."""

_WHOLE = ("rules", "paths", "tls", "tolerations")
"""Lists that are applied as a whole: a member that somebody added goes with the next apply."""

_WORDS = {"annotations", "labels", "matchLabels", "nodeSelector"}
"""Members whose values are words, as those of variables are: "1.0" and "1" are not the same there."""
_DATA = {"data", "stringData", "binaryData"}
"""Likewise, of a whole object."""


def drift_of(found: Found) -> tuple[Drift, ...]:
    """Of what serves and of where its traffic is."""
    return (*_traffic(found), *_undone(found), *_paused(found), *_leaving(found), *_objects(found))


def _traffic(found: Found) -> Iterator[Drift]:
    for carrier in (found.service, found.route):
        asked = asked_of(carrier)
        if carrier is None or asked is None:
            continue
        now = found.backends() if carrier is found.route else _selected(found, carrier)
        if now is not None and now != asked:
            where = "spec.rules.backendRefs" if carrier is found.route else "spec.selector"
            told = "" if carrier is found.route else _selecting(carrier)
            yield _drift(carrier, where, _shares(asked), _shares(now) + told)
    selector = mapping(found.service, "spec", "selector")
    more = sorted(selector.keys() - {INSTANCE, WORKLOAD}) if WORKLOAD in selector else ()
    if found.service is not None and more and asked_of(found.service) is not None:
        asks = ", ".join(f"{key}={selector[key]}" for key in more)
        yield _drift(found.service, "spec.selector", NOTHING, asks)


def _selecting(service: Object) -> str:
    """What it asks for, where that is no name of ours."""
    selector = mapping(service, "spec", "selector")
    asks = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
    return f" ({asks})" if asks and WORKLOAD not in selector else ""


def _selected(found: Found, service: Object) -> dict[str, int]:
    workload = found.selected(service)
    return {workload: 100} if workload else {}


def asked_of(carrier: Object | None) -> dict[str, int] | None:
    """What shipper asked of a Service or a route last; None where it did not, or where it cannot be read."""
    told = text(carrier, "metadata", "annotations", TRAFFIC)
    try:
        return {str(name): int(weight) for name, weight in parse_json(told).items()} if told else None
    except (ValueError, AttributeError, TypeError, OverflowError):
        return None


def _undone(found: Found) -> Iterator[Drift]:
    """`kubectl rollout undo` brings back a pod template with all annotations of then: it owns the release's, then."""
    for one in found.deployments:
        number = text(one, "metadata", "annotations", NUMBER)
        managers = managers_of(one, "metadata", "annotations", RELEASE)
        others = [str(last) for last in (*found.stamp.verified[-1:], *_newest(found)) if str(last) != number]
        if managers and MANAGER not in managers and others:
            whose = f"by {', '.join(managers)}; `shipper rollback --to '#{number}'` keeps it"
            yield _drift(one, f"metadata.annotations.{NUMBER}", others[0], f"{number} ({whose})")


def _newest(found: Found) -> list[int]:
    return sorted(record.number for record in found.records)[-1:]


def _paused(found: Found) -> Iterator[Drift]:
    for one in found.deployments:
        if at(one, "spec", "paused") is True and release_in(one):
            yield _drift(one, "spec.paused", "false", "true")


def _leaving(found: Found) -> Iterator[Drift]:
    """What is deleted already, and goes when whoever has a finalizer on it is done."""
    for manifest in found.applied:
        if (live := _live(found, manifest)) is not None and is_leaving(live):
            yield Drift(field=str(manifest.key), ours="(there)", found=leaving(live))


def _objects(found: Found) -> Iterator[Drift]:
    for manifest in found.applied:
        live = _live(found, manifest)
        if live is None:
            known = manifest.kind in ("Deployment", "Service") or is_route(manifest, found)
            if known or manifest.key in found.others:
                yield Drift(field=str(manifest.key), ours="(there)", found=NOTHING)
            continue
        ignored = _not_compared(found, manifest, live)
        unfinished = [one for whole in found.unfinished if (one := whole.find(manifest.key)) is not None]
        done = [{path for path, _, _ in differences(one.body, live, ignored)} for one in unfinished]
        for path, ours, theirs in differences(manifest.body, live, ignored, secret=manifest.kind == "Secret"):
            # What a release that did not come further had changed is its doing, not a person's.
            if all(path in others for others in done):
                yield _drift(live, path, ours, theirs)


def _live(found: Found, manifest: Manifest) -> Object | None:
    if manifest.kind == "Deployment" and (there := found.deployment(manifest.name)) is not None:
        return there
    if manifest.kind == "Service":
        every = [*([found.service] if found.service is not None else []), *found.services]
        if (named := next((one for one in every if name_of(one) == manifest.name), None)) is not None:
            return named
    if manifest.kind == "HTTPRoute" and manifest.name == found.base and found.route is not None:
        return found.route
    return found.others.get(manifest.key)


def _not_compared(found: Found, manifest: Manifest, live: Object) -> tuple[str, ...]:
    """What is not in a manifest's hands: traffic, and the count where somebody else owns it or it is scaled by us."""
    if manifest.kind in ("Deployment", "StatefulSet"):
        scaled = any(scales(one, manifest.kind, manifest.name) for one in found.autoscalers)
        asked = text(live, "metadata", "annotations", REPLICAS)
        return ("spec.replicas",) if scaled or asked == str(wanted_pods(live)) else ()
    if manifest.kind == "Service" and manifest.name == found.base and not found.is_own:
        return ("spec.selector",)
    return ("spec.rules.0.backendRefs",) if manifest.kind == "HTTPRoute" else ()


def differences(
    ours: Mapping[str, Any], live: Mapping[str, Any], ignored: Sequence[str] = (), *, secret: bool = False
) -> Iterator[tuple[str, str, str]]:
    """Path, our value, the value that is there, for each leaf of `ours` that is another one there; values as people may
    see them, those of a Secret not at all.
    """
    for path, mine, theirs in _differ(ours, live, ()):
        dotted = ".".join(path)
        if path[:1] != ("status",) and not any(dotted == one or dotted.startswith(f"{one}.") for one in ignored):
            yield dotted, _shown(path, mine, secret), _shown(path, theirs, secret)


def _differ(ours: Any, live: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(ours, Mapping) and isinstance(live, Mapping):
        for key, value in ours.items():
            yield from _differ(value, live.get(key), (*path, str(key)))
    elif _keyed(ours) and isinstance(live, Sequence) and not isinstance(live, str):
        key = _key_of(ours)
        for index, value in enumerate(ours):
            name, there = str(index), live[index] if index < len(live) else None
            if key:
                name = str(value[key])
                there = next((one for one in live if isinstance(one, Mapping) and one.get(key) == value[key]), None)
            yield from _differ(value, there, (*path, name))
        if path[-1:] and path[-1] in _WHOLE and len(live) > len(ours):
            yield path, list(ours), list(live)
    elif not _same(ours, live, is_words=_is_of_words(path)):
        yield path, ours, live


def _is_of_words(path: tuple[str, ...]) -> bool:
    """By position: members of lists have names, which may be anything."""
    if len(path) < 2:
        return False
    is_data = len(path) == 2 and path[0] in _DATA
    return is_data or path[-2] in _WORDS or ("env" in path and path[-1] == "value")


def _keyed(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _key_of(items: Sequence[Mapping[str, Any]]) -> str:
    for key in _KEYS:
        names = [one.get(key) for one in items]
        if None not in names and len({*map(str, names)}) == len(names):
            return key
    return ""


def _same(ours: Any, live: Any, *, is_words: bool) -> bool:
    """What is empty, zero or false may be left out; amounts may be written in another way ("0.5" is "500m")."""
    if ours == live or (not ours and not live):
        return True
    if is_words or isinstance(ours, bool) or isinstance(live, bool):
        return False
    mine = exact(ours)
    return mine is not None and mine == exact(live)


def _drift(carrier: Object, path: str, ours: str, found: str) -> Drift:
    return Drift(field=f"{carrier.get('kind')}/{name_of(carrier)} {path}", ours=ours, found=found)


def _shares(weights: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {weight} %" for name, weight in sorted(weights.items())) or NOTHING


def _shown(path: tuple[str, ...], value: Any, secret: bool) -> str:
    return NOTHING if value is None else shown(path, value, secret=secret)
