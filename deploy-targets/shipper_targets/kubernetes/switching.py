"""Where the traffic goes: the Service's selector, and the HTTPRoute's weights where there is a Gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from shipper.model import Stamp
from shipper.model.context import Cancellation
from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.carriers import Fence, exchanged
from shipper_targets.kubernetes.drift import TRAFFIC
from shipper_targets.kubernetes.exposing import backends, routed
from shipper_targets.kubernetes.found import ADOPTED, Found
from shipper_targets.kubernetes.kinds import HTTP_ROUTE, SERVICE
from shipper_targets.kubernetes.labels import NOTHING, STAMP, selector
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.probes import PORT_NAME
from shipper_targets.kubernetes.services import ports_of
from shipper_targets.kubernetes.stamps import stamp_text
from shipper_targets.kubernetes.values import Object, mapping, name_of, number, objects, text

ACCEPTED_WITHIN = 5.0
"""Seconds in which a gateway says whether it takes a route; silence is no refusal."""

REFUSED_FOR = 2.0
"""Seconds that a refusal has to stand: a gateway may not have seen a Service that has just been made."""

LOOK = 0.1
_SAYS = {"Accepted", "ResolvedRefs"}


def traffic_note(weights: Mapping[str, int]) -> dict[str, str]:
    """The annotation that says what was asked for."""
    return {TRAFFIC: json.dumps(dict(sorted(weights.items())), separators=(",", ":"))}


def adopted_note(found: Found) -> dict[str, str]:
    """The annotation that says what was there before us; empty when there was nothing, or it is noted."""
    service, adopted = found.service, found.adopted
    if service is None or adopted is None or not adopted[1] or text(service, "metadata", "annotations", ADOPTED):
        return {}
    whole = {"name": adopted[0], "selector": dict(adopted[1]), "ports": found.adopted_ports}
    return {ADOPTED: json.dumps(whole, sort_keys=True)}


def select(api: Api, fence: Fence, found: Found, workload: str, stamp: Stamp) -> Found:
    """One write: the Service gives its traffic to this Deployment ("" for nobody), with the stamp."""
    service = found.service
    if service is None:
        raise Invalid(f"there is no Service {found.base} whose traffic could be moved")
    wanted = _selector_of(found, workload)
    gone = {key: None for key in mapping(service, "spec", "selector") if key not in wanted}
    notes = {
        **traffic_note({workload: 100} if workload else {}),
        **adopted_note(found),
        STAMP: stamp_text(stamp, found.carriers),
    }

    def write(version: str) -> dict[str, Any]:
        metadata = {"resourceVersion": version, "annotations": notes}
        asked: dict[str, Any] = {**gone, **wanted}
        spec = {"selector": asked, **_ports_of(found, workload, fence.port)}
        return api.merge(SERVICE, found.base, {"metadata": metadata, "spec": spec})

    return exchanged(found, service, fence.conditional(service, write))


def _selector_of(found: Found, workload: str) -> dict[str, str]:
    """By our labels; what was there before us has the selector that it had."""
    adopted = found.adopted
    if adopted is not None and workload == adopted[0] and adopted[1] and found.deployment(workload) is None:
        return {key: str(value) for key, value in adopted[1].items()}
    return selector(found.base, workload or NOTHING)


def _ports_of(found: Found, workload: str, port: int) -> dict[str, list[dict[str, Any]]]:
    """What was there before us has the port that it had, and ours; nothing is changed where nothing was."""
    adopted = found.adopted
    if adopted is None or not found.adopted_ports:
        return {}
    return {"ports": also_at(found.adopted_ports, port) if workload == adopted[0] else ports_of(port)}


def also_at(ports: list[dict[str, Any]], port: int) -> list[dict[str, Any]]:
    """With our port beside the one that was there before us: an Ingress of ours, and clients by now, ask at that."""
    if len(ports) != 1 or ports[0].get("port") == port:
        return ports
    (before,) = ports
    target = before.get("targetPort", before["port"])
    name = PORT_NAME if before.get("name") != PORT_NAME else "shipper"
    return [{"name": "adopted", **before}, {**before, "name": name, "port": port, "targetPort": target}]


def as_routed(route: Manifest, weights: Mapping[str, int], port: int, ports: Mapping[str, int]) -> Manifest:
    """A route with these weights by Service's name, and the note of them. `ports`: see `ports_there`."""
    return routed(route, weights, port, ports).marked(annotations=traffic_note(weights))


def rerouted(api: Api, fence: Fence, found: Found) -> Found:
    """The route leads to the Service, and so to whom that gives its traffic; as it is where it does, or is none."""
    route = found.route
    if route is None or found.backends() == {found.base: 100}:
        return found
    refs = backends({found.base: 100}, fence.port, ports_there(found))
    rules = [{**rule, "backendRefs": refs} for rule in objects(route, "spec", "rules")]

    def write(version: str) -> dict[str, Any]:
        metadata = {"resourceVersion": version, "annotations": traffic_note({found.base: 100})}
        return api.merge(HTTP_ROUTE, found.base, {"metadata": metadata, "spec": {"rules": rules}})

    return exchanged(found, route, fence.conditional(route, write))


def ports_there(found: Found, *more: Object) -> dict[str, int]:
    """Service's name to the port at which it is asked, of those that are there and of `more`: ours have it named; of
    what was there before us only one port says it.
    """
    every = [*found.services, *([found.service] if found.service is not None else []), *more]
    return {name_of(one): asked for one in every if (asked := _asked_at(one))}


def _asked_at(service: Object) -> int:
    ports = objects(service, "spec", "ports")
    likely = [one for one in ports if one.get("name") == PORT_NAME] or (ports if len(ports) == 1 else [])
    return number(likely[0], "port") if likely else 0


def until_accepted(api: Api, route: Object, cancel: Cancellation | None = None) -> str:
    """Wait until a gateway has taken the route as it was written; "" then, and when cancelled, else what is to be told.

    Raises Invalid when one refuses it, and goes on doing so.
    """
    generation, until = number(route, "metadata", "generation"), time.monotonic() + ACCEPTED_WITHIN
    refused: float | None = None
    while True:
        now = api.find(HTTP_ROUTE, name_of(route)) or route
        said = [one for parent in objects(now, "status", "parents") for one in objects(parent, "conditions")]
        said = [one for one in said if number(one, "observedGeneration") >= generation]
        against = [one for one in said if one.get("type") in _SAYS and one.get("status") == "False"]
        moment = time.monotonic()
        refused = (refused or moment) if against else None
        if refused is not None and moment - refused >= REFUSED_FOR:
            why = f"{against[0].get('reason')}: {against[0].get('message')}"
            raise Invalid(f"the gateway refuses HTTPRoute {name_of(route)}: {why}")
        if refused is None and {one.get("type") for one in said} >= _SAYS:
            return ""
        if refused is None and moment > until:
            return f"no gateway has said that it takes HTTPRoute {name_of(route)}"
        if cancel is None:
            time.sleep(LOOK)
        elif cancel.wait(LOOK):
            return ""
