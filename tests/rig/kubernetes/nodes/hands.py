"""The hands of the rig's nodes for tests in any process. Standard library only.

    nodes = NodeHands("http://127.0.0.1:PORT")
    nodes.behave("crash", image="registry.test/shop", namespace=ns, code=3, lines=["cannot load the model"])
    nodes.time_factor(0.05, ns)        # CrashLoopBackOff after 0.5 s instead of 10 s
    nodes.kill(ns, pod)                # SIGKILL, as from the kernel
    nodes.add("big", {"cpu": "64"}, taints=[{"key": "pool", "value": "big", "effect": "NoSchedule"}])

A pod's own label `rig.shipper.dev/behaviour` says the same without a hand: `crash`, `slow-3`, `exit-2`, `missing`, …
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.rig.kubernetes.nodes.asking import ask


@dataclass(frozen=True)
class NodeHands:
    """`url` is where the daemon's port answers."""

    url: str

    def answers(self) -> bool:
        """Whether the nodes are there and follow the API server."""
        try:
            return bool(ask(self.url, "status", timeout=5)["ready"])
        except (OSError, ValueError):
            return False

    def behave(
        self,
        kind: str,
        *,
        namespace: str = "",
        image: str = "",
        tag: str = "",
        label: str = "",
        container: str = "",
        seconds: float = 0.0,
        code: int = 1,
        lines: Sequence[str] = (),
    ) -> None:
        """How containers that start from now on behave; the newest rule that fits wins.

        `kind`: good, run (really, on the engine: what happens without a rule), slow (ready after `seconds`), missing
        (ErrImagePull, ImagePullBackOff), invalid-name, crash (writes `lines`, runs `seconds`, exits with `code`), oom
        (137, OOMKilled), config-error, start-error, notready, exit (for Jobs: `code`).
        Which: `image` is a prefix of the reference, `label` the value of the pod's rig.shipper.dev/behaviour.
        A scripted container still needs the Secrets and ConfigMaps that it names. HandError for an unknown kind.
        """
        match = {"namespace": namespace, "image": image, "tag": tag, "label": label, "container": container}
        behaviour = {"kind": kind, "seconds": seconds, "code": code, "lines": list(lines)}
        ask(self.url, "behave", match=match, behaviour=behaviour)

    def forget(self, **match: str) -> int:
        """Drop the rules at least as narrow as `match` (none given: all rules); how many there were."""
        return int(ask(self.url, "forget", match=match))

    def time_factor(self, factor: float, namespace: str = "") -> None:
        """Back-offs and retries take so much of their real time; for one namespace, or all without one of their own."""
        ask(self.url, "factor", factor=factor, namespace=namespace)

    def kill(self, namespace: str, pod: str, container: str = "") -> None:
        """SIGKILL to a container (the first one), which its restart policy may start again."""
        ask(self.url, "kill", namespace=namespace, pod=pod, container=container)

    def add(
        self,
        name: str,
        allocatable: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """One more node (8 CPUs, 32Gi, 110 pods unless `allocatable` says else), or other room for a known one."""
        ask(
            self.url,
            "add",
            name=name,
            allocatable=dict(allocatable or {}),
            labels=dict(labels or {}),
            taints=list(taints),
        )

    def remove(self, name: str) -> None:
        ask(self.url, "remove", name=name)

    def cordon(self, name: str, *, on: bool = True) -> None:
        ask(self.url, "cordon", name=name, on=on)

    def taint(self, name: str, taints: Sequence[Mapping[str, str]]) -> None:
        """These taints ({"key", "value", "effect"}) and no others."""
        ask(self.url, "taint", name=name, taints=list(taints))

    def status(self) -> dict[str, Any]:
        """{"ready", "nodes": [names], "engine": bool, "rules": […], "pods": [{"namespace", "name", "ip", …}]}."""
        found: dict[str, Any] = ask(self.url, "status")
        return found
