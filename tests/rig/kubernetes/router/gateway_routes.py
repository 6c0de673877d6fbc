"""HTTPRoutes and Gateways (pure): what is accepted, what it routes, and the conditions that say so.

From the Gateway API's specification (v1): a route is accepted by each parent for itself; a backend that is not there
leaves it accepted, with ResolvedRefs False and 500 for its share. Here, beyond that: only whole hosts are routed. A
rule with a path, a header, a query or a method to match, or with filters, is not accepted (UnsupportedValue).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.rig.kubernetes.nodes.apiserver import Object, key
from tests.rig.kubernetes.router.endpoints import Slices
from tests.rig.kubernetes.router.routes import Objects, service_share
from tests.rig.kubernetes.router.table import Route

CONTROLLER = "rig.shipper.dev/router"


@dataclass(frozen=True)
class Verdict:
    """A condition's status, reason and message."""

    holds: bool
    reason: str
    message: str = ""


def parents(route: Object, gateways: Objects) -> Iterator[tuple[Object, Object]]:
    """The parentRefs that name a Gateway of ours, each with that Gateway."""
    for ref in route["spec"].get("parentRefs") or []:
        namespace = ref.get("namespace", route["metadata"]["namespace"])
        gateway = gateways.get((namespace, ref["name"]))
        if gateway is not None and ref.get("kind", "Gateway") == "Gateway":
            yield ref, gateway


def accepted(route: Object, ref: Object, gateway: Object, labels: Mapping[str, Mapping[str, str]]) -> Verdict:
    """Whether a Gateway takes the route. `labels` are the namespaces' labels, for listeners that select by them."""
    named = [one for one in gateway["spec"]["listeners"] if ref.get("sectionName") in (None, one["name"])]
    named = [one for one in named if ref.get("port") in (None, one["port"])]
    if not named:
        return Verdict(False, "NoMatchingParent", "no listener of the Gateway has this name and port")
    allowed = [one for one in named if _allows(one, route, gateway, labels)]
    if not allowed:
        return Verdict(False, "NotAllowedByListeners", "no listener takes routes from this namespace")
    hosts = route["spec"].get("hostnames") or []
    if hosts and not any(_covers(one.get("hostname", ""), host) for one in allowed for host in hosts):
        return Verdict(False, "NoMatchingListenerHostname", "no listener has a hostname that covers the route's")
    if odd := _unsupported(route):
        return Verdict(False, "UnsupportedValue", odd)
    return Verdict(True, "Accepted", "Route is accepted")


def resolved(route: Object, services: Objects) -> Verdict:
    """Whether all of its backends are there."""
    namespace = route["metadata"]["namespace"]
    for backend in _backends(route):
        if backend.get("kind", "Service") != "Service" or backend.get("group", "") != "":
            return Verdict(False, "InvalidKind", f"{backend.get('group', '')}/{backend.get('kind')} is no Service")
        if backend.get("namespace", namespace) != namespace:
            said = f"Service {backend['namespace']}/{backend['name']} is in another namespace: the rig reads no grants"
            return Verdict(False, "RefNotPermitted", said)
        service = services.get((namespace, backend["name"]))
        if service is None:
            return Verdict(False, "BackendNotFound", f'service "{backend["name"]}" not found')
        if backend.get("port") not in [port["port"] for port in service["spec"].get("ports", [])]:
            return Verdict(False, "BackendNotFound", f'service "{backend["name"]}" has no port {backend.get("port")}')
    return Verdict(True, "ResolvedRefs", "All references are resolved")


def routes_of(route: Object, services: Objects, slices: Slices) -> Iterator[Route]:
    """A route that was accepted; for a share whose weight is 0 nothing is sent."""
    namespace, name = key(route)
    shares = [service_share(namespace, backend, services, slices) for backend in _backends(route)]
    for host in route["spec"].get("hostnames") or []:
        yield Route(host, shares, f"HTTPRoute {namespace}/{name}")


def condition(kind: str, verdict: Verdict, generation: int) -> Object:
    return {
        "type": kind,
        "status": "True" if verdict.holds else "False",
        "reason": verdict.reason,
        "message": verdict.message,
        "observedGeneration": generation,
    }


def _backends(route: Object) -> list[Object]:
    return [backend for rule in route["spec"].get("rules") or [] for backend in rule.get("backendRefs") or []]


def _unsupported(route: Object) -> str:
    rules: Sequence[Object] = route["spec"].get("rules") or []
    if len(rules) > 1:
        return "the rig routes whole hosts: one rule"
    if not route["spec"].get("hostnames"):
        return "the rig routes by host: hostnames are needed"
    if any("*" in host for host in route["spec"]["hostnames"]):
        return "the rig routes whole hosts: no wildcards"
    for rule in rules:
        if rule.get("filters") or any(one.get("filters") for one in rule.get("backendRefs") or []):
            return "the rig has no filters"
        for match in rule.get("matches") or []:
            path = match.get("path", {})
            if set(match) - {"path"} or path.get("type", "PathPrefix") != "PathPrefix" or path.get("value", "/") != "/":
                return "the rig routes whole hosts: no matches but the prefix /"
    return ""


def _allows(listener: Object, route: Object, gateway: Object, labels: Mapping[str, Mapping[str, str]]) -> bool:
    namespace = route["metadata"]["namespace"]
    spaces = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    if spaces.get("from", "Same") == "All":
        return True
    if spaces.get("from") == "Selector":
        wanted = (spaces.get("selector") or {}).get("matchLabels") or {}
        return bool(wanted.items() <= labels.get(namespace, {}).items())
    return bool(namespace == gateway["metadata"]["namespace"])


def _covers(listener: str, host: str) -> bool:
    if listener.startswith("*."):
        return host.endswith(listener[1:])
    return listener in ("", host)
