"""Everything of the cluster that routing looks at, kept up to date; any change wakes the router."""

from __future__ import annotations

import threading

from tests.rig.kubernetes.nodes.apiserver import ApiServer, Object, path
from tests.rig.kubernetes.nodes.watching import Watched

GATEWAY = "gateway.networking.k8s.io/v1"
NETWORKING = "networking.k8s.io/v1"
KNATIVE = "networking.internal.knative.dev/v1alpha1"


class Cluster:
    """Each attribute is one kind. Kinds whose definitions are not installed are empty until they are."""

    def __init__(self, api: ApiServer) -> None:
        self.changed = threading.Event()
        self.services = self._watch(api, path("services"))
        self.slices = self._watch(api, path("endpointslices", group="discovery.k8s.io/v1"))
        self.pods = self._watch(api, path("pods"))
        self.ingresses = self._watch(api, path("ingresses", group=NETWORKING))
        self.classes = self._watch(api, path("gatewayclasses", group=GATEWAY))
        self.gateways = self._watch(api, path("gateways", group=GATEWAY))
        self.routes = self._watch(api, path("httproutes", group=GATEWAY))
        self.knative = self._watch(api, path("ingresses", group=KNATIVE))

    def wait(self) -> None:
        """Until every kind was listed once."""
        for one in (self.services, self.slices, self.pods, self.ingresses, self.gateways, self.routes, self.knative):
            one.listed.wait()

    def _watch(self, api: ApiServer, address: str) -> Watched:
        return Watched(api, address, self._heard)

    def _heard(self, kind: str, thing: Object) -> None:
        self.changed.set()
