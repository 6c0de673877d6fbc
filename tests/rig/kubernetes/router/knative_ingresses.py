"""Knative's Ingresses (pure): which generation of each is carried, what is said of it, and what a test holds back.

Knative asks an ingress layer for its routes by these objects, and believes that they are there when the status says so
of their generation. A layer that is slow, or broken, serves on as it did before, and says nothing, or why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.rig.kubernetes.knative import INGRESS_CLASS
from tests.rig.kubernetes.nodes.apiserver import Object, key
from tests.rig.kubernetes.router.gateway_routes import Verdict

FAILED = "RoutesNotProgrammed"
"""The reason of what a test has fail."""

_CLASS = "networking.knative.dev/ingress.class"
_BALANCER = {"ingress": [{"domainInternal": "rig.knative-serving.svc.cluster.local"}]}


@dataclass(frozen=True)
class Found:
    """An Ingress. `carried`: as it is routed, of an earlier generation perhaps; None when it never was. `verdict`: what
    is to be said of the generation that is asked for; None: nothing.
    """

    ingress: Object
    carried: Object | None
    verdict: Verdict | None


class KnativeIngresses:
    """Those of the rig's class. Remembers what it gave to be carried; not for several threads at once."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}
        self._carried: dict[tuple[str, str], Object] = {}

    @property
    def held(self) -> dict[str, str]:
        """Namespaces, and what is said there instead; "" for nothing."""
        return dict(self._held)

    def hold(self, namespace: str, failure: str = "") -> None:
        """Nothing newer than what is carried by now is carried there, nor said to be."""
        self._held[namespace] = failure

    def release(self, namespace: str) -> None:
        """As ever; nothing when it was not held."""
        self._held.pop(namespace, None)

    def look(self, there: Iterable[Object]) -> list[Found]:
        """Each with what is to become of it now."""
        found = [self._judged(one) for one in there if _is_ours(one)]
        self._carried = {key(one.ingress): one.carried for one in found if one.carried is not None}
        return found

    def _judged(self, ingress: Object) -> Found:
        before, failure = self._carried.get(key(ingress)), self._held.get(ingress["metadata"]["namespace"])
        if before is not None and before["metadata"]["uid"] != ingress["metadata"]["uid"]:
            before = None  # another one of the same name
        if failure is None or (before is not None and _generation(before) == _generation(ingress)):
            return Found(ingress, ingress, Verdict(True, ""))
        return Found(ingress, before, Verdict(False, FAILED, failure) if failure else None)


def status_of(ingress: Object, verdict: Verdict) -> Object:
    """What it says, but for the times of its conditions. The way in stays as it was when it fails."""
    said = {"status": "True"}
    if not verdict.holds:
        said = {"status": "False", "reason": verdict.reason, "message": verdict.message}
    conditions = [
        {"type": "LoadBalancerReady", **said},
        {"type": "NetworkConfigured", "status": "True"},
        {"type": "Ready", **said},
    ]
    status: Object = {"observedGeneration": _generation(ingress), "conditions": conditions}
    if verdict.holds:
        status |= {"publicLoadBalancer": _BALANCER, "privateLoadBalancer": _BALANCER}
    return status


def carried(found: Iterable[Found]) -> Iterator[Object]:
    """What is routed."""
    return (one.carried for one in found if one.carried is not None)


def _is_ours(ingress: Object) -> bool:
    return bool((ingress["metadata"].get("annotations") or {}).get(_CLASS) == INGRESS_CLASS)


def _generation(ingress: Object) -> int:
    return int(ingress["metadata"]["generation"])
