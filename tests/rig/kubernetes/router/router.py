"""Looks at the cluster after every change: programmes the routes, then writes what became of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import urllib3

from tests.rig.kubernetes.nodes.apiserver import ApiFailure, ApiServer, Object, key, path
from tests.rig.kubernetes.router import endpoints, gateway_routes, routes
from tests.rig.kubernetes.router.cluster import Cluster
from tests.rig.kubernetes.router.gateway_routes import CONTROLLER, Verdict
from tests.rig.kubernetes.router.knative_ingresses import KnativeIngresses, carried
from tests.rig.kubernetes.router.programme import Programme
from tests.rig.kubernetes.router.statuses import Statuses
from tests.rig.kubernetes.router.table import Route
from tests.rig.shell import RigError

log = logging.getLogger(__name__)

_SWEEP = 0.25  # seconds between looks at servers that drain


class Router:
    """`programme` None: no engine, so that nothing is carried and only statuses are written."""

    def __init__(self, api: ApiServer, cluster: Cluster, programme: Programme | None) -> None:
        self._api, self._cluster, self._programme = api, cluster, programme
        self._statuses = Statuses(api)
        self._knative = KnativeIngresses()
        self._looking = threading.Lock()
        self.looks = 0

    def run(self) -> None:
        """For ever."""
        draining = False
        while True:
            if self._cluster.changed.wait(_SWEEP if draining else None):
                self._cluster.changed.clear()
            try:
                draining = self.look()
            except (RigError, ApiFailure, urllib3.exceptions.HTTPError) as error:
                log.warning("look: %s", error)
                draining = True
            except Exception:  # a bug of ours must not look like a route that never comes
                log.exception("look")

    def look(self) -> bool:
        """Once; whether something is still draining, or could not be said."""
        with self._looking:
            verdicts = list(self._verdicts())
            knative = self._knative.look(self._cluster.knative.all())
            draining = False
            if self._programme is not None:
                self._programme.apply(self._routes(verdicts, list(carried(knative))))
                draining = self._programme.sweep()
            said = [self._statuses.knative(one.ingress, one.verdict) for one in knative if one.verdict is not None]
            self._write(verdicts)
            self.looks += 1
            return draining or not all(said)

    def hold(self, namespace: str, failure: str = "") -> None:
        """Of Knative's Ingresses there, what is not carried when this returns is not carried until `release`."""
        with self._looking:
            self._knative.hold(namespace, failure)
        self._cluster.changed.set()

    def release(self, namespace: str) -> None:
        """What was held is carried now, and said to be."""
        with self._looking:
            self._knative.release(namespace)
        self._cluster.changed.set()

    def status(self) -> dict[str, Any]:
        routed = self._programme.shown() if self._programme else []
        return {"looks": self.looks, "routes": routed, "held": self._knative.held}

    def _routes(
        self, verdicts: list[tuple[Object, list[tuple[Object, Verdict, Verdict]]]], knative: list[Object]
    ) -> Iterator[Route]:
        """Older objects before younger ones, as the Gateway API decides between two that want the same host."""
        cluster = self._cluster
        services = {key(one): one for one in cluster.services.all()}
        slices = endpoints.by_service(cluster.slices.all())
        for route, said in sorted(verdicts, key=lambda one: _age(one[0])):
            if any(accepted.holds for _, accepted, _ in said):
                yield from gateway_routes.routes_of(route, services, slices)
        for ingress in sorted(cluster.ingresses.all(), key=_age):
            if routes.is_ours(ingress):
                yield from routes.of_ingress(ingress, services, slices)
        pods = {key(one): one for one in cluster.pods.all()} if knative else {}
        for ingress in sorted(knative, key=_age):
            yield from routes.of_knative(ingress, slices, pods)
        yield from routes.of_services(services.values(), slices)

    def _gateways(self) -> dict[tuple[str, str], Object]:
        ours = {
            one["metadata"]["name"]
            for one in self._cluster.classes.all()
            if one["spec"]["controllerName"] == CONTROLLER
        }
        return {key(one): one for one in self._cluster.gateways.all() if one["spec"]["gatewayClassName"] in ours}

    def _verdicts(self) -> Iterator[tuple[Object, list[tuple[Object, Verdict, Verdict]]]]:
        gateways = self._gateways()
        services = {key(one): one for one in self._cluster.services.all()}
        for route in self._cluster.routes.all():
            resolved = gateway_routes.resolved(route, services)
            said = [
                (ref, gateway_routes.accepted(route, ref, gateway, self._labels(gateway)), resolved)
                for ref, gateway in gateway_routes.parents(route, gateways)
            ]
            if said or (route.get("status") or {}).get("parents"):
                yield route, said

    def _labels(self, gateway: Object) -> dict[str, dict[str, str]]:
        """Namespaces' labels, asked for when a listener selects by them."""
        spaces = [(one.get("allowedRoutes") or {}).get("namespaces") or {} for one in gateway["spec"]["listeners"]]
        if not any(one.get("from") == "Selector" for one in spaces):
            return {}
        found = self._api.get(path("namespaces"))["items"]
        return {one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in found}

    def _write(self, verdicts: list[tuple[Object, list[tuple[Object, Verdict, Verdict]]]]) -> None:
        for found in self._cluster.classes.all():
            if found["spec"]["controllerName"] == CONTROLLER:
                self._statuses.gateway_class(found)
        attached: dict[tuple[str, str], int] = {}
        for route, said in verdicts:
            self._statuses.route(route, said)
            for ref, accepted, _ in said:
                gateway = (ref.get("namespace", route["metadata"]["namespace"]), ref["name"])
                attached[gateway] = attached.get(gateway, 0) + accepted.holds
        for name, gateway_found in self._gateways().items():
            self._statuses.gateway(gateway_found, attached.get(name, 0))
        for ingress in self._cluster.ingresses.all():
            if routes.is_ours(ingress):
                self._statuses.ingress(ingress)
        for service in self._cluster.services.all():
            if service["spec"].get("type") == "LoadBalancer":
                self._statuses.load_balancer(service)


def _age(thing: Object) -> tuple[str, tuple[str, str]]:
    return str(thing["metadata"]["creationTimestamp"]), key(thing)
