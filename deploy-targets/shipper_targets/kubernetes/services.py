"""Services: the one that clients ask, and in front of each revision its own where a route shares the traffic. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shipper_targets.kubernetes.labels import selector
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.probes import PORT_NAME
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import Object, objects, text


def service_of(own: KubernetesSettings, base: str, labels: Mapping[str, str], workload: str) -> Manifest:
    """The Service `<base>`, which clients ask. Traffic goes to the workload that its selector names."""
    made = _service(own, base, base, labels, workload, own.service_type)
    if own.service_annotations:
        return made.marked(annotations=own.service_annotations)
    return made


def revision_service(own: KubernetesSettings, base: str, labels: Mapping[str, str], workload: str) -> Manifest:
    """The Service of one revision, under its name: what a route's weights point to."""
    return _service(own, workload, base, labels, workload, "ClusterIP")


def selecting(service: Manifest, base: str, workload: str) -> Manifest:
    """The same Service with its traffic at another workload."""
    body = service.copied()
    body["spec"]["selector"] = selector(base, workload)
    return Manifest(body)


def ports_of(port: int) -> list[dict[str, object]]:
    """Of a Service: by the port's name, so that two revisions may listen on different numbers."""
    return [{"name": PORT_NAME, "port": port, "targetPort": PORT_NAME, "protocol": "TCP"}]


def moves_a_port(wanted: Object, live: Object) -> bool:
    """Whether a port of a Service that is there gets another number under its name, or has no name and goes."""
    if wanted.get("kind") != "Service":
        return False
    numbers = {text(one, "name"): one.get("port") for one in objects(live, "spec", "ports")}
    asked = {text(one, "name"): one.get("port") for one in objects(wanted, "spec", "ports")}
    unnamed = numbers.get("")
    return (unnamed is not None and unnamed not in asked.values()) or any(
        name in numbers and numbers[name] != port for name, port in asked.items()
    )


def _service(
    own: KubernetesSettings, name: str, base: str, labels: Mapping[str, str], workload: str, service_type: str
) -> Manifest:
    return Manifest(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": own.namespace, "labels": dict(labels)},
            "spec": {
                "type": service_type,
                "selector": selector(base, workload),
                "ports": ports_of(own.service_port),
            },
        }
    )
