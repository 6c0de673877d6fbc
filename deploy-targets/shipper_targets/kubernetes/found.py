"""What the platform has of one service, as it was read. Pure: what it means is said in observing.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shipper.model import Stamp
from shipper.model.json_text import parse_json
from shipper_targets.kubernetes.labels import INSTANCE, NOTHING, RELEASE, WORKLOAD, is_ours
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered
from shipper_targets.kubernetes.names import Shape
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.rollouts import release_in
from shipper_targets.kubernetes.stamps import read_stamp, seen_of
from shipper_targets.kubernetes.values import Object, at, mapping, name_of, objects, text

ADOPTED = "shipper.dev/adopted"
"""Annotation of the Service: what it selected before shipper came, as JSON {"name": …, "selector": {…}}."""

PENDING = "shipper.dev/waits-for"
"""Annotation of the Deployment `<base>`: `WORKLOAD@EPOCH.COUNT` (of the stamp then), what it takes the traffic over
from once it is ready."""


_PORT = ("name", "port", "targetPort", "protocol", "appProtocol")
"""Of a Service's port: what is asked for. The rest (nodePort) the platform keeps by itself."""


@dataclass(frozen=True)
class Found:
    """Objects as JSON. `deployments`, `services` are ours; `service` is `<base>`, whoever made it; `foreign` are
    Deployments that are not ours and that serve, or did before us.
    """

    base: str
    shape: Shape
    routes: bool
    """Whether a Gateway is configured, so that an HTTPRoute splits the traffic. One of ours that is left from before
    is moved with the Service's traffic until it goes.
    """
    deployments: Sequence[Object] = ()
    sets: Sequence[Object] = ()
    services: Sequence[Object] = ()
    service: Object | None = None
    route: Object | None = None
    autoscalers: Sequence[Object] = ()
    records: Sequence[Record] = ()
    foreign: Sequence[Object] = ()
    others: Mapping[Key, Object | None] = field(default_factory=dict)
    """What else was applied for what serves, as it is now; only where drift was looked for."""
    applied: Sequence[Manifest] = ()
    """What was applied for what serves, from its record."""
    unfinished: Sequence[Rendered] = ()
    """What newer releases were to be that never were verified: some of it may have been applied."""
    own_manifests: bool = False
    """Whether manifests are the project's own: these say themselves where their routes lead."""

    @property
    def rolling(self) -> Object | None:
        """The one Deployment that is replaced: the workload of own manifests, or `<base>`."""
        named = self.deployment(self.base)
        if named is not None and release_in(named):
            return named
        # Of own manifests another Deployment may have this name: what is followed carries the release.
        carrying = (one for one in self.deployments if release_in(one) and not self.is_per_release(one))
        return next(carrying, named)

    @property
    def is_own(self) -> bool:
        """Whether it is of own manifests: their pods do not say which workload they are of."""
        rolling = self.rolling
        labels = mapping(rolling, "spec", "template", "metadata", "labels")
        return rolling is not None and bool(release_in(rolling)) and WORKLOAD not in labels

    def is_per_release(self, deployment: Object) -> bool:
        """Whether it is named after its release."""
        return name_of(deployment) == self.named_after_release(deployment)

    def named_after_release(self, carrier: Object) -> str:
        """The name of the revision that it carries: of a Deployment or a ReplicaSet; "" when it carries none."""
        release, numbered = release_in(carrier), text(carrier, "metadata", "annotations", "shipper.dev/number")
        return f"{self.base}-{numbered}-{release[-6:].lower()}" if release and numbered else ""

    def deployment(self, name: str) -> Object | None:
        """One of ours by its name."""
        return next((one for one in self.deployments if name_of(one) == name), None)

    def workload(self, revision: str) -> Object | None:
        """The Deployment that runs a revision, ours or the one that was there before us."""
        for one in self.deployments:
            if self.named_after_release(one) == revision:
                return one
        return next((one for one in self.foreign if name_of(one) == revision), None)

    def record(self, release: str) -> Record | None:
        """By release id."""
        return next((one for one in self.records if one.release == release), None)

    # Stamp and fence.

    @cached_property
    def carriers(self) -> list[Object]:
        """What may carry the stamp, the one whose write moves traffic first."""
        rolling, service, route = self.rolling, self.service, self.route
        if self.shape == "rolling":
            order = [rolling, service, route]
        else:
            order = [route, service, rolling] if self.routes else [service, route, rolling]
        return [one for one in order if one is not None]

    @property
    def carrier(self) -> Object | None:
        """The one that stamps are written to; None where there is none yet. One that is not ours, and that we do not
        replace, carries nothing.
        """
        return next(iter(self.carriers), None)

    @cached_property
    def stamp(self) -> Stamp:
        """The newest. Raises Invalid for one that cannot be read."""
        return read_stamp(self.carriers)

    @property
    def seen(self) -> str:
        """What a write has to find unchanged."""
        return seen_of(self.carriers)

    # What was there before us.

    @cached_property
    def adopted(self) -> tuple[str, Mapping[str, str]] | None:
        """Name and selector of what served before shipper came; None when there was nothing.

        Noted on the Service once we have written to it; until then what it selects.
        """
        service = self.service
        if service is None:
            return self._adopted_in_place
        if noted := text(service, "metadata", "annotations", ADOPTED):
            try:
                told: dict[str, Any] = parse_json(noted)
                return str(told["name"]), dict(told["selector"])
            except (ValueError, KeyError, TypeError):
                return None
        labels = mapping(service, "metadata", "labels")
        selected = dict(mapping(service, "spec", "selector"))
        if is_ours(labels, self.base) or WORKLOAD in selected or not selected:
            return None
        named = next((name_of(one) for one in self.foreign if selects(selected, one)), pods_of_service(service))
        return named, selected

    @property
    def adopted_ports(self) -> list[dict[str, Any]]:
        """Of the Service as it was then: names of ports are those of its pods, not of ours."""
        service = self.service
        if service is None or self.adopted is None:
            return []
        if noted := text(service, "metadata", "annotations", ADOPTED):
            told = parse_json(noted).get("ports")
            return [dict(one) for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
        return [{key: one[key] for key in _PORT if key in one} for one in objects(service, "spec", "ports")]

    @property
    def asks_adopted(self) -> bool:
        """Whether the Service gives its traffic to what was there before us."""
        return self.service is not None and self.adopted is not None and self.selected(self.service) == self.adopted[0]

    @property
    def _adopted_in_place(self) -> tuple[str, Mapping[str, str]] | None:
        there = next((one for one in self.foreign if not at(one, "metadata", "annotations", RELEASE)), None)
        return (name_of(there), {}) if there is not None else None

    # Who is asked.

    def selected(self, service: Object) -> str:
        """The name of the Deployment that a Service gives its traffic to, whether it is there or not; "" for none."""
        selector = dict(mapping(service, "spec", "selector"))
        workload = selector.get(WORKLOAD)
        if workload is not None and selector.get(INSTANCE) in (None, self.base):
            return "" if workload == NOTHING else str(workload)
        if not selector:
            return ""
        everything = [*self.deployments, *self.foreign]
        return next((name_of(one) for one in everything if selects(selector, one)), pods_of_service(service))

    def backends(self) -> dict[str, int] | None:
        """Service's name to weight, as the route says; None without a route of ours."""
        route = self.route
        if route is None:
            return None
        found: dict[str, int] = {}
        for rule in objects(route, "spec", "rules"):
            for backend in objects(rule, "backendRefs"):
                weight = backend.get("weight", 1)
                found[text(backend, "name")] = weight if isinstance(weight, int) else 1
            break  # all of our rules have the same backends; more are drift
        return found


def is_route(manifest: Manifest, found: Found) -> bool:
    """Whether it is the HTTPRoute that leads to the service, and that is moved with its traffic."""
    return manifest.kind == "HTTPRoute" and manifest.name == found.base and not found.own_manifests


def pods_of_service(service: Object) -> str:
    """What a Service asks that no Deployment here is: pods of something else. Never the name of a Deployment."""
    return f"pods of {name_of(service)}"


def selects(selector: Mapping[str, Any], deployment: Object) -> bool:
    """Whether a Service with this selector finds the pods of this Deployment."""
    labels = mapping(deployment, "spec", "template", "metadata", "labels")
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
