"""The classes of the rig, and one Gateway that takes routes from every namespace."""

from __future__ import annotations

from tests.rig.kubernetes.nodes.apiserver import APPLY, ApiFailure, ApiServer, Object, path
from tests.rig.kubernetes.router.cluster import GATEWAY, NETWORKING
from tests.rig.kubernetes.router.gateway_routes import CONTROLLER
from tests.rig.kubernetes.router.routes import INGRESS_CLASS

NAMESPACE, NAME = "rig-gateway", "rig"


def make(api: ApiServer) -> bool:
    """False when the Gateway API is not installed."""
    _apply(api, path("namespaces", name=NAMESPACE), "v1", "Namespace", {})
    ingress_class = {"spec": {"controller": CONTROLLER}}
    _apply(api, path("ingressclasses", name=INGRESS_CLASS, group=NETWORKING), NETWORKING, "IngressClass", ingress_class)
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    gateway = {"spec": {"gatewayClassName": NAME, "listeners": [listener]}}
    try:
        _apply(
            api,
            path("gatewayclasses", name=NAME, group=GATEWAY),
            GATEWAY,
            "GatewayClass",
            {"spec": {"controllerName": CONTROLLER}},
        )
        _apply(api, path("gateways", NAMESPACE, NAME, group=GATEWAY), GATEWAY, "Gateway", gateway)
    except ApiFailure as failure:
        if failure.status == 404:
            return False
        raise
    return True


def _apply(api: ApiServer, address: str, version: str, kind: str, body: Object) -> None:
    whole = {"apiVersion": version, "kind": kind, "metadata": {"name": address.rpartition("/")[2]}, **body}
    api.patch(address, whole, APPLY, fieldManager="rig", force="true")
