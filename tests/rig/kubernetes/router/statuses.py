"""Writes what became of Gateways, routes, Ingresses and LoadBalancers, when it differs from what is there."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import urllib3

from tests.rig.kubernetes.nodes.apiserver import ApiFailure, ApiServer, Object, key, path
from tests.rig.kubernetes.pods.events import stamp
from tests.rig.kubernetes.router.cluster import GATEWAY, KNATIVE, NETWORKING
from tests.rig.kubernetes.router.gateway_routes import CONTROLLER, Verdict, condition
from tests.rig.kubernetes.router.knative_ingresses import status_of

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
_KINDS = [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]


class Statuses:
    """Every method may be called at every look; what has not changed is not written."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def gateway_class(self, found: Object) -> None:
        said = Verdict(True, "Accepted", "Handled by the rig's router")
        self._write(found, "gatewayclasses", GATEWAY, {"conditions": self._conditions(found, [("Accepted", said)])})

    def gateway(self, found: Object, attached: int) -> None:
        both = [("Accepted", Verdict(True, "Accepted")), ("Programmed", Verdict(True, "Programmed"))]
        before = {one["name"]: one for one in (found.get("status") or {}).get("listeners", [])}
        listeners = [
            {
                "name": one["name"],
                "attachedRoutes": attached,
                "supportedKinds": _KINDS,
                "conditions": self._merged(
                    before.get(one["name"], {}).get("conditions", []),
                    [*both, ("ResolvedRefs", Verdict(True, "ResolvedRefs"))],
                    found["metadata"]["generation"],
                ),
            }
            for one in found["spec"]["listeners"]
        ]
        status = {
            "addresses": [{"type": "IPAddress", "value": ADDRESS}],
            "conditions": self._conditions(found, both),
            "listeners": listeners,
        }
        self._write(found, "gateways", GATEWAY, status)

    def route(self, found: Object, verdicts: Sequence[tuple[Object, Verdict, Verdict]]) -> None:
        """For each parent of ours: its reference, Accepted, ResolvedRefs. Other controllers' parents stay."""
        there = (found.get("status") or {}).get("parents", [])
        parents = [one for one in there if one["controllerName"] != CONTROLLER]
        for ref, accepted, resolved in verdicts:
            before = [one for one in there if one["parentRef"] == ref and one["controllerName"] == CONTROLLER]
            conditions = self._merged(
                before[0]["conditions"] if before else [],
                [("Accepted", accepted), ("ResolvedRefs", resolved)],
                found["metadata"]["generation"],
            )
            parents.append({"parentRef": ref, "controllerName": CONTROLLER, "conditions": conditions})
        self._write(found, "httproutes", GATEWAY, {"parents": parents})

    def ingress(self, found: Object) -> None:
        self._write(found, "ingresses", NETWORKING, {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}})

    def knative(self, found: Object, verdict: Verdict) -> bool:
        """Of one of Knative's Ingresses; False when it has to be written again, as its webhook may be away."""
        status = status_of(found, verdict)
        before = (found.get("status") or {}).get("conditions", [])
        return self._write(found, "ingresses", KNATIVE, status | {"conditions": _timed(before, status["conditions"])})

    def load_balancer(self, found: Object) -> None:
        balancer = {"ingress": [{"ip": ADDRESS, "ipMode": "VIP"}]}
        self._write(found, "services", "v1", {"loadBalancer": balancer})

    def _conditions(self, found: Object, verdicts: Sequence[tuple[str, Verdict]]) -> list[Object]:
        before = (found.get("status") or {}).get("conditions", [])
        return self._merged(before, verdicts, found["metadata"]["generation"])

    def _merged(
        self, before: Sequence[Object], verdicts: Sequence[tuple[str, Verdict]], generation: int
    ) -> list[Object]:
        return _timed(before, [condition(kind, verdict, generation) for kind, verdict in verdicts])

    def _write(self, found: Object, plural: str, group: str, status: Object) -> bool:
        """False when it could not be written."""
        there = found.get("status") or {}
        if all(there.get(name) == value for name, value in status.items()):
            return True
        namespace, name = key(found)
        try:
            self._api.patch(path(plural, namespace, name, group=group, sub="status"), {"status": status})
        except (ApiFailure, urllib3.exceptions.HTTPError) as error:
            if not (isinstance(error, ApiFailure) and error.status in (404, 409)):
                log.warning("status of %s %s/%s: %s", plural, namespace, name, error)
                return False
        return True


def _timed(before: Sequence[Object], wanted: Sequence[Object]) -> list[Object]:
    """The conditions that are wanted; the times of those whose status has not changed stay."""
    old = {one["type"]: one for one in before}
    found = []
    for new in wanted:
        there = old.get(new["type"], {})
        same = there.get("status") == new["status"]
        found.append(new | {"lastTransitionTime": there["lastTransitionTime"] if same else stamp()})
    return found
