"""Whether what leads users to the Service is there: the Gateway, an Ingress's class and certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shipper.model import Problem
from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import GATEWAY, HTTP_ROUTE, INGRESS_CLASS, SECRET
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.settings_parts import IngressSettings
from shipper_targets.kubernetes.values import name_of, objects, text


def gateway_problems(api: Api, own: KubernetesSettings) -> Iterator[Problem]:
    """Whether the cluster has the Gateway API, and the Gateway is there. Raises Transient."""
    if own.gateway is None:
        return
    if not api.knows(HTTP_ROUTE):
        yield Problem(
            code=2,
            key="targets.gateway",
            message="this cluster has no Gateway API (HTTPRoute of gateway.networking.k8s.io/v1)",
            hint="install its CRDs and a controller, or use an ingress and another strategy than canary",
        )
        return
    namespace = own.gateway.namespace or own.namespace
    try:
        there = api.find(GATEWAY, own.gateway.name, namespace)
    except Denied:
        return  # a route can be made without looking at its Gateway
    if there is None:
        message = f"there is no Gateway {own.gateway.name} in namespace {namespace}"
        yield Problem(code=2, key="targets.gateway.name", message=message, hint="create it, or correct the name")
        return
    listeners = [text(one, "name") for one in objects(there, "spec", "listeners")]
    if own.gateway.section and own.gateway.section not in listeners:
        message = f"Gateway {own.gateway.name} has no listener {own.gateway.section} (it has {', '.join(listeners)})"
        yield Problem(code=2, key="targets.gateway.section", message=message, hint="correct the name")


def remark_on_ingress(api: Api, own: KubernetesSettings, remark: Callable[[str], None]) -> None:
    """A class that nobody registered, a certificate that is not there yet. Neither is wrong for sure: a controller may
    take a class by its name alone, and cert-manager makes the Secret once the Ingress is there. Raises Transient.
    """
    if own.ingress is not None:
        _remark_on_class(api, own.ingress, remark)
        _remark_on_certificate(api, own.ingress, remark)


def _remark_on_class(api: Api, ingress: IngressSettings, remark: Callable[[str], None]) -> None:
    if ingress.class_name is None:
        return
    try:
        there = sorted(map(name_of, api.list(INGRESS_CLASS).items))
    except Denied:
        return
    if ingress.class_name not in there:
        known = f"the cluster has {', '.join(there)}" if there else "the cluster has none"
        remark(f"there is no IngressClass {ingress.class_name} ({known}): perhaps nobody serves this Ingress")


def _remark_on_certificate(api: Api, ingress: IngressSettings, remark: Callable[[str], None]) -> None:
    if ingress.tls_secret is None:
        return
    try:
        is_there = api.find(SECRET, ingress.tls_secret) is not None
    except Denied:
        return
    if not is_there:
        remark(
            f"there is no Secret {ingress.tls_secret} yet: until it is there the Ingress has no certificate of its own"
        )
