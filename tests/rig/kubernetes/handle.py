"""What a test asks of a cluster: kubeconfigs, fresh namespaces, restarts, and the hands of gate, nodes and router.

The rig's own cluster, or with SHIPPER_TEST_KUBECONFIG (its current context, or SHIPPER_TEST_KUBE_CONTEXT) any other:
what that one cannot do skips the test, with the reason. Needs the development environment.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.rig.kubernetes import asking, control_plane, knative, kubeconfigs, permissions
from tests.rig.kubernetes.gate.hands import GateHands
from tests.rig.kubernetes.place import Place, place
from tests.rig.machine import alone, state_dir, survey

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from tests.rig.kubernetes.nodes.hands import NodeHands
    from tests.rig.kubernetes.router.hands import RouterHands

Rule = Mapping[str, Sequence[str]]
"""As in a Role: {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}."""
THEIRS = "SHIPPER_TEST_KUBECONFIG"
SESSION = "rig.shipper.dev/session"
"""A label of every namespace that a test made: whose it is."""


class Cluster(Protocol):
    """What differs between the rig's own cluster and another."""

    gate_hands: GateHands

    def admin(self, *, gate: bool) -> Path:
        """A kubeconfig whose only context is "rig"."""

    def reach(self, *, gate: bool) -> tuple[str, Path]:
        """Server and the file with its authority, for a kubeconfig with a token."""

    def own(self, what: str) -> Place:
        """The rig's own cluster; skips the test elsewhere, as `what` cannot be done there."""


class KubeRig:
    """`folder`: where files that it writes go. Use one per test session."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self._made: list[str] = []
        self._session = session_of(os.getpid())

    # --- to reach it

    def kubeconfig(self, *, gate: bool = False) -> Path:
        """Of an administrator; its context is named "rig". `gate`: through the gate, which sees what is asked."""
        return self.cluster.admin(gate=gate)

    def kubeconfig_for(
        self, namespace: str, rules: Sequence[Rule], cluster_rules: Sequence[Rule] = (), *, gate: bool = False
    ) -> Path:
        """Of a new ServiceAccount that may do exactly this there (and `cluster_rules` everywhere); valid for hours."""
        name = f"may-{secrets.token_hex(4)}"
        server, authority = self.cluster.reach(gate=gate)
        permissions.grant(self.client, namespace, name, rules, cluster_rules)
        token = permissions.token(self.client, namespace, name)
        file = self.folder / f"{name}.kubeconfig"
        kubeconfigs.write(file, server=server, authority=authority, token=token, namespace=namespace)
        permissions.wait(file, namespace, rules, cluster_rules)
        return file

    def api(self, *, gate: bool = False) -> ApiClient:
        """A new client of an administrator, past the gate unless asked."""
        return asking.client_of(self.kubeconfig(gate=gate))

    @cached_property
    def client(self) -> ApiClient:
        """One for all of this session."""
        return self.api()

    def request(self, method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON of one request of an administrator, past the gate; `path` has its query."""
        return asking.request(self.client, method, path, body, kind)

    # --- namespaces

    def namespace(self, prefix: str = "t", labels: Mapping[str, str] | None = None) -> str:
        """A fresh one, whose pods are not refused: its default service account is there."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        asking.done(
            self.client, "POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(labels or {})}}
        )
        self._made.append(name)
        for path in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            self._until_there(f"/api/v1/namespaces/{name}/{path}")
        return name

    def drop(self, namespace: str) -> None:
        """Delete it with everything in it, without waiting: that takes ten seconds. It may be gone already."""
        status, said = self.request("DELETE", f"/api/v1/namespaces/{namespace}")
        assert status in (200, 202, 404, 409), said
        self._made.remove(namespace)
        self.gate.forget(namespace)
        if "router" in vars(self):  # nobody has held anything elsewhere
            self.router.release(namespace)

    def close(self) -> None:
        """Delete the namespaces that are left."""
        for name in list(self._made):
            self.drop(name)

    def sweep(self) -> list[str]:
        """Delete what sessions left behind that were killed on this machine; their pods would run for ever."""
        found = asking.done(self.client, "GET", f"/api/v1/namespaces?labelSelector={SESSION}")["items"]
        said = {one["metadata"]["name"]: one["metadata"]["labels"][SESSION] for one in found}
        left = [name for name, session in said.items() if session != session_of(int(session.partition("-")[0]))]
        for name in left:
            asking.request(self.client, "DELETE", f"/api/v1/namespaces/{name}")
        return left

    def _until_there(self, path: str, patience: float = 30.0) -> None:
        deadline = time.monotonic() + patience
        while asking.found(self.client, path) is None:
            if time.monotonic() > deadline:
                pytest.fail(f"{path} is not there after {patience:.0f} s")
            time.sleep(0.02)

    # --- what goes wrong

    @property
    def gate(self) -> GateHands:
        return self.cluster.gate_hands

    def watch_gone(self, namespace: str) -> int:
        """Open watches through the gate end with 410, as do those that start from before now. How many were open."""
        path = "/api/v1/namespaces/default/configmaps/rig-clock?fieldManager=rig&force=true"
        clock = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "rig-clock"},
            "data": {"now": str(time.time_ns())},
        }
        now = asking.done(self.client, "PATCH", path, clock, "application/apply-patch+yaml")
        return self.gate.expire_watches(namespace, int(now["metadata"]["resourceVersion"]))

    def restart_apiserver(self) -> None:
        """Killed, and up again on the same data; returns when it is ready and its controllers follow it."""
        with self.apiserver_away():
            pass

    @contextmanager
    def apiserver_away(self) -> Iterator[None]:
        """Inside the block nobody answers; what was done before is there again after it."""
        own = self.cluster.own("restart its API server")
        with alone(state_dir()):  # or another process would find it missing and start a new cluster
            control_plane.kill_apiserver(own)
            try:
                yield
            finally:
                control_plane.start_apiserver(own)
                control_plane.restart_clients(own)
                knative.restart(own)

    # --- nodes and ways in

    @cached_property
    def nodes(self) -> NodeHands:
        """What nodes and pods do: see tests/rig/kubernetes/nodes/hands.py."""
        from tests.rig.kubernetes.nodes.hands import NodeHands

        return NodeHands(f"http://127.0.0.1:{self.cluster.own('script nodes').ports['nodes']}")

    @cached_property
    def router(self) -> RouterHands:
        """The rig's way in: see tests/rig/kubernetes/router/hands.py."""
        from tests.rig.kubernetes.router.hands import RouterHands

        return RouterHands(f"http://127.0.0.1:{self.cluster.own('ask its router').ports['router']}")

    @property
    def edge_url(self) -> str:
        """Where HTTP comes in; the Host header says where to. SHIPPER_TEST_KUBE_EDGE for another cluster."""
        if theirs := os.environ.get("SHIPPER_TEST_KUBE_EDGE"):
            return theirs
        own = self.cluster.own("be asked over HTTP (set SHIPPER_TEST_KUBE_EDGE to the address of its gateway)")
        return f"http://127.0.0.1:{own.ports['edge']}"


class OwnCluster:
    """The rig's."""

    def __init__(self, there: Place) -> None:
        self._place = there
        self.gate_hands = GateHands(f"http://127.0.0.1:{there.ports['gate_hands']}")

    def admin(self, *, gate: bool) -> Path:
        return self._place.gate_kubeconfig if gate else self._place.kubeconfig

    def reach(self, *, gate: bool) -> tuple[str, Path]:
        port = self._place.ports["gate" if gate else "apiserver"]
        return f"https://127.0.0.1:{port}", self._place.tls / "ca.crt"

    def own(self, what: str) -> Place:
        return self._place


@contextmanager
def kube_rig(folder: Path) -> Iterator[KubeRig]:
    """The cluster that this session runs on; the rig's own must be up."""
    if theirs := os.environ.get(THEIRS):
        from tests.rig.kubernetes.handle_theirs import their_cluster

        with their_cluster(Path(theirs), os.environ.get("SHIPPER_TEST_KUBE_CONTEXT"), folder) as cluster:
            yield from _closing(KubeRig(cluster, folder))
    else:
        own = KubeRig(OwnCluster(place(survey())), folder)
        own.sweep()
        yield from _closing(own)


def session_of(pid: int) -> str:
    """A process as a label's value: its number and when it started, as numbers come again; "" when it is gone."""
    try:
        return f"{pid}-{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except OSError:
        return ""


def _closing(rig: KubeRig) -> Iterator[KubeRig]:
    try:
        yield rig
    finally:
        rig.close()
