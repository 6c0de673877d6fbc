"""Where the service is asked: at the way in that what serves has, which may be that of an older configuration. Pure."""

from __future__ import annotations

from pydantic import ValidationError

from shipper.model import Address
from shipper_targets.kubernetes.exposing import path_of, url_of
from shipper_targets.kubernetes.found import Found, selects
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.settings_parts import MISLED, UNREACHED, GatewaySettings, IngressSettings
from shipper_targets.kubernetes.values import at, mapping, name_of, number, objects, text


def address_of(found: Found, own: KubernetesSettings) -> Address | None:
    """By ingress or gateway; by the load balancer's address; else inside the cluster only."""
    if not found.carriers:
        return None
    own = as_served(found, own)
    if own.address is not None or own.host is not None:
        host = own.host if own.address is not None else None
        url = own.address + path_of(own) if own.address is not None else url_of(own, found.base)
        return Address(url=url, host=host, reach=own.reach or "public", unreached=UNREACHED, misled=MISLED)
    given = objects(found.service, "status", "loadBalancer", "ingress")
    if given and (where := text(given[0], "hostname") or text(given[0], "ip")):
        where = f"[{where}]" if ":" in where else where
        url = f"http://{where}:{own.service_port}"
        return Address(url=url, reach=own.reach or "public", unreached=UNREACHED)
    return Address(url=_own_service_url(found) or url_of(own, found.base), reach=own.reach or "internal")


def as_served(found: Found, own: KubernetesSettings) -> KubernetesSettings:
    """With the ingress or gateway of what serves: a release that changed it and was left would else be asked for at an
    address that leads nowhere any more. As they are where no record tells, or manifests are the project's own.
    """
    if own.has_own_manifests or not found.applied or (own.ingress is None and own.gateway is None):
        return own
    try:
        return own.model_copy(update=_way_in(found, own))
    except ValidationError:
        return own  # no record of ours


def _way_in(found: Found, own: KubernetesSettings) -> dict[str, object]:
    ingress, route = (_named(found, kind) for kind in ("Ingress", "HTTPRoute"))
    if ingress is not None:
        return {"ingress": IngressSettings.model_validate(_of_ingress(ingress)), "gateway": None}
    if route is None:
        return {"ingress": None, "gateway": None, "address": None}
    # Whether its listener speaks TLS, and at which port, only the settings know.
    hosts, path = _of_route(route)
    if own.gateway is not None:
        known = own.gateway.model_dump()
        return {"gateway": GatewaySettings.model_validate({**known, "hosts": hosts, "path": path})}
    tls = own.ingress.tls_secret if own.ingress is not None else None
    return {"ingress": IngressSettings.model_validate({"host": next(iter(hosts), ""), "path": path, "tls_secret": tls})}


def _named(found: Found, kind: str) -> Manifest | None:
    return next((one for one in found.applied if one.kind == kind and one.name == found.base), None)


def _of_ingress(ingress: Manifest) -> dict[str, str | None]:
    rule, tls = (next(iter(objects(ingress.body, "spec", name)), None) for name in ("rules", "tls"))
    path = next(iter(objects(rule, "http", "paths")), None)
    return {"host": text(rule, "host"), "path": text(path, "path"), "tls_secret": text(tls, "secretName") or None}


def _of_route(route: Manifest) -> tuple[list[object], str]:
    """Host names, the first one is the address, and the path's prefix."""
    rule = next(iter(objects(route.body, "spec", "rules")), None)
    match = next(iter(objects(rule, "matches")), None)
    hosts = at(route.body, "spec", "hostnames")
    return (hosts if isinstance(hosts, list) else []), text(match, "path", "value")


def _own_service_url(found: Found) -> str:
    """Of own manifests, whose Services have names of the project's own: the first that asks the pods of what serves."""
    rolling = found.rolling
    if not found.is_own or rolling is None:
        return ""
    asking = (one for one in found.services if selects(mapping(one, "spec", "selector"), rolling))
    service = next(asking, None)
    ports = objects(service, "spec", "ports")
    if service is None or not ports:
        return ""
    port, namespace = number(ports[0], "port"), text(service, "metadata", "namespace")
    return f"http://{name_of(service)}.{namespace}.svc" + ("" if port == 80 else f":{port}")
