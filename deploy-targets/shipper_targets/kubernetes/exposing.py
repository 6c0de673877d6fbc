"""How the service is reached from outside: an Ingress, or an HTTPRoute of the Gateway API. Pure.

What the API servers would fill in is written out, so that what is sent is what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.settings import KubernetesSettings

GATEWAY_GROUP = "gateway.networking.k8s.io"


def ingress_of(own: KubernetesSettings, base: str, labels: Mapping[str, str]) -> Manifest | None:
    """None where none is configured."""
    wanted = own.ingress
    if wanted is None:
        return None
    backend = {"service": {"name": base, "port": {"number": own.service_port}}}
    paths = [{"path": wanted.path, "pathType": "Prefix", "backend": backend}]
    spec: dict[str, Any] = {"rules": [{"host": wanted.host, "http": {"paths": paths}}]}
    if wanted.class_name is not None:
        spec["ingressClassName"] = wanted.class_name
    if wanted.tls_secret is not None:
        spec["tls"] = [{"hosts": [wanted.host], "secretName": wanted.tls_secret}]
    made = Manifest(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": base, "namespace": own.namespace, "labels": dict(labels)},
            "spec": spec,
        }
    )
    return made.marked(annotations=wanted.annotations)


def route_of(
    own: KubernetesSettings, base: str, labels: Mapping[str, str], weights: Mapping[str, int]
) -> Manifest | None:
    """The HTTPRoute `<base>`; `weights`: Service's name to percent. None where no Gateway is configured."""
    wanted = own.gateway
    if wanted is None:
        return None
    parent: dict[str, Any] = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": wanted.name}
    if wanted.namespace is not None:
        parent["namespace"] = wanted.namespace
    if wanted.section is not None:
        parent["sectionName"] = wanted.section
    return Manifest(
        {
            "apiVersion": f"{GATEWAY_GROUP}/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": base, "namespace": own.namespace, "labels": dict(labels)},
            "spec": {
                "parentRefs": [parent],
                "hostnames": list(wanted.hosts),
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": wanted.path}}],
                        "backendRefs": backends(weights, own.service_port),
                    }
                ],
            },
        }
    )


def routed(route: Manifest, weights: Mapping[str, int], port: int, ports: Mapping[str, int]) -> Manifest:
    """The same HTTPRoute with other weights: Service's name to percent. `ports`: of those that have another one."""
    body = route.copied()
    for rule in body["spec"]["rules"]:
        rule["backendRefs"] = backends(weights, port, ports)
    return Manifest(body)


def backends(
    weights: Mapping[str, int], port: int, ports: Mapping[str, int] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """`backendRefs`, in the order of names: the same weights are the same text. A Service is asked at the port that it
    has (`ports`), which may be that of an older configuration.
    """
    return [
        {"group": "", "kind": "Service", "name": name, "port": ports.get(name, port), "weight": weight}
        for name, weight in sorted(weights.items())
    ]


def url_of(own: KubernetesSettings, base: str) -> str:
    """Where the service answers, as its users write it."""
    if own.gateway is not None:
        scheme, port = ("https", 443) if own.gateway.tls else ("http", 80)
        wanted = own.gateway.port or port
        suffix = "" if wanted == port else f":{wanted}"
        return f"{scheme}://{own.gateway.host}{suffix}{path_of(own)}"
    if own.ingress is not None:
        return f"http{'s' if own.ingress.tls_secret else ''}://{own.ingress.host}{path_of(own)}"
    if own.manifests_url is not None:
        return own.manifests_url
    suffix = "" if own.service_port == 80 else f":{own.service_port}"
    return f"http://{base}.{own.namespace}.svc{suffix}"


def path_of(own: KubernetesSettings) -> str:
    """What leads to the service at its host, without a slash at the end; "" for all of it."""
    front = own.gateway or own.ingress
    return front.path.rstrip("/") if front is not None else ""
