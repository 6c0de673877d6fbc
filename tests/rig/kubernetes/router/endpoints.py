"""The endpoints of a Service, by its EndpointSlices (pure): which pods take requests, and on which port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.router.table import Endpoint

Slices = Mapping[tuple[str, str], Sequence[Object]]
"""EndpointSlices by the namespace and name of their Service."""

_OWNER = "kubernetes.io/service-name"


def by_service(slices: Iterable[Object]) -> Slices:
    found: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for one in slices:
        name = (one["metadata"].get("labels") or {}).get(_OWNER)
        if name:
            found[one["metadata"]["namespace"], name].append(one)
    return found


def of_service(service: Object, port: int | str, slices: Slices) -> list[Endpoint]:
    """For one of the Service's ports, by number or name; empty when it has no such port."""
    asked = next((one for one in service["spec"].get("ports", []) if port in (one["port"], one.get("name"))), None)
    if asked is None:
        return []
    key = (service["metadata"]["namespace"], service["metadata"]["name"])
    found: list[Endpoint] = []
    for one in slices.get(key, ()):
        number = next(
            (p["port"] for p in one.get("ports") or [] if (p.get("name") or "") == (asked.get("name") or "")), 0
        )
        if number:
            found += [Endpoint(pod, address, number) for pod, address in _addresses(one.get("endpoints") or [])]
    return sorted(set(found), key=lambda endpoint: endpoint.pod)


def of_revision(
    namespace: str, revision: str, slices: Slices, pods: Mapping[tuple[str, str], Object]
) -> list[Endpoint]:
    """A Knative revision's pods: those that its private Service lists, at the port of the user container.

    In reality requests go to queue-proxy's port 8012, or to the activator; neither runs here.
    """
    found: list[Endpoint] = []
    for one in slices.get((namespace, f"{revision}-private"), ()):
        for name, address in _addresses(one.get("endpoints") or []):
            pod = pods.get((namespace, name))
            if pod is not None:
                found.append(Endpoint(name, address, _user_port(pod)))
    return sorted(set(found), key=lambda endpoint: endpoint.pod)


def _addresses(endpoints: Iterable[Object]) -> list[tuple[str, str]]:
    """Pod and address of the ready ones; of those that still serve while they end, when no other is left."""
    ready, ending = [], []
    for one in endpoints:
        conditions = one.get("conditions") or {}
        pod = (one.get("targetRef") or {}).get("name", one["addresses"][0])
        if conditions.get("ready") is not False:
            ready.append((pod, one["addresses"][0]))
        elif conditions.get("serving") and conditions.get("terminating"):
            ending.append((pod, one["addresses"][0]))
    return ready or ending


def _user_port(pod: Object) -> int:
    containers = [one for one in pod["spec"]["containers"] if one["name"] != "queue-proxy" and one.get("ports")]
    return int(containers[0]["ports"][0]["containerPort"]) if containers else 8080
