"""The routes that Services, Ingresses and Knative's Ingresses ask for (pure). HTTPRoutes: gateway_routes.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tests.rig.kubernetes.nodes.apiserver import Object, key
from tests.rig.kubernetes.router.endpoints import Slices, of_revision, of_service
from tests.rig.kubernetes.router.table import Route, Share

DOMAIN = "svc.rig.test"
"""Every Service answers at the edge as <name>.<namespace>.svc.rig.test, which stands for its cluster address."""

INGRESS_CLASS = "rig"
_OF_KNATIVE = "networking.internal.knative.dev/serverlessservice"

Objects = Mapping[tuple[str, str], Object]


def of_services(services: Iterable[Object], slices: Slices) -> Iterator[Route]:
    """The first port of every Service with a selector; Knative's own are reached through its Ingresses."""
    for service in services:
        name, spec = key(service), service["spec"]
        if (
            not spec.get("selector")
            or not spec.get("ports")
            or _OF_KNATIVE in (service["metadata"].get("labels") or {})
        ):
            continue
        share = Share(name[1], 1, of_service(service, spec["ports"][0]["port"], slices))
        yield Route(f"{name[1]}.{name[0]}.{DOMAIN}", [share], f"Service {name[0]}/{name[1]}")


def is_ours(ingress: Object) -> bool:
    """Of the rig's class, or of none, as for the class that is the default."""
    annotated = (ingress["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    return (ingress["spec"].get("ingressClassName") or annotated or INGRESS_CLASS) == INGRESS_CLASS


def of_ingress(ingress: Object, services: Objects, slices: Slices) -> Iterator[Route]:
    """Hosts with the backend of their path `/`; other paths are not routed here."""
    namespace, name = key(ingress)
    for rule in ingress["spec"].get("rules") or []:
        paths = [one for one in rule.get("http", {}).get("paths", []) if one.get("path", "/") == "/"]
        if rule.get("host") and paths and "service" in paths[0]["backend"]:
            asked = paths[0]["backend"]["service"]
            port = asked["port"].get("number") or asked["port"]["name"]
            share = _share(namespace, asked["name"], port, 1, services, slices)
            yield Route(rule["host"], [share], f"Ingress {namespace}/{name}")


def of_knative(ingress: Object, slices: Slices, pods: Objects) -> Iterator[Route]:
    """Every host of the Ingress, tags included, split by percent among revisions."""
    namespace, name = key(ingress)
    for rule in ingress["spec"].get("rules") or []:
        plain = [one for one in rule["http"]["paths"] if not one.get("headers")]
        shares = [
            Share(
                split["serviceName"],
                int(split.get("percent", 100)),
                of_revision(split.get("serviceNamespace", namespace), split["serviceName"], slices, pods),
            )
            for one in plain[:1]
            for split in one["splits"]
        ]
        for host in rule["hosts"]:
            yield Route(host, shares, f"Knative Ingress {namespace}/{name}")


def _share(namespace: str, name: str, port: int | str, weight: int, services: Objects, slices: Slices) -> Share:
    service = services.get((namespace, name))
    if service is None:
        return Share(name, weight, found=False)
    return Share(name, weight, of_service(service, port, slices))


def service_share(namespace: str, backend: Object, services: Objects, slices: Slices) -> Share:
    """A backendRef of an HTTPRoute."""
    there = backend.get("namespace", namespace)
    return _share(there, backend["name"], backend.get("port", 0), int(backend.get("weight", 1)), services, slices)
