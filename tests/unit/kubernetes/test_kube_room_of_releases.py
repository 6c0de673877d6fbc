"""Whether a rendered release finds room on the nodes that there are, and on those that an autoscaler will add."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import Problem
from shipper_targets.kubernetes.api import Listed
from shipper_targets.kubernetes.kinds import DEPLOYMENT, NODE, Kind
from shipper_targets.kubernetes.names import shape_of
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.room import Room
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

CPU_NODE: dict[str, Any] = {
    "metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
    "status": {
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64"},
    },
}
GPU_NODE = {**CPU_NODE, "status": {**CPU_NODE["status"], "allocatable": {"cpu": "64", "nvidia.com/gpu": "4"}}}


class Cluster:
    """What is there to be listed, and the one Deployment that may be found."""

    namespace = "shops"

    def __init__(self, *nodes: dict[str, Any], serving: int = 0) -> None:
        self.nodes = nodes
        self.deployments = ({"metadata": {"name": "shop"}, "spec": {"replicas": serving}},) if serving else ()

    def list(self, kind: Kind, **_: Any) -> Listed:
        return Listed({NODE: self.nodes, DEPLOYMENT: self.deployments}.get(kind, ()), "1")

    def find(self, kind: Kind, *_: Any) -> dict[str, Any] | None:
        return next(iter(self.deployments), None) if kind == DEPLOYMENT else None


def looked_at(
    cluster: Cluster, target: dict[str, Any] | None = None, strategy: str = "rolling", **sections: Any
) -> tuple[list[Problem], list[str]]:
    settings, place, remarks = settings_of(rollout={"strategy": strategy}, **sections), own(**target or {}), list[str]()
    shape = shape_of(strategy)
    whole = render(release_of(settings), place, shape)
    room = Room(cluster, place, remarks.append)  # type: ignore[arg-type]
    return list(room.problems(settings, whole, beside=shape == "weighted")), remarks


GROWS = {"unschedulable_window": "10m"}


@pytest.mark.parametrize(
    ("sections", "words", "key"),
    [
        ({"run": {"gpu": 1}}, "wants 1 nvidia.com/gpu, and no node has more than 0", "run.gpu"),
        ({"run": {"memory": "16GiB"}}, "and no node has more than", "run.memory"),
        ({"image": {"platform": "linux/arm64", "repository": "r.io/a"}}, "nodes run linux/amd64", "image.platform"),
    ],
)
def test_what_no_node_can_hold_now_an_autoscaler_may_add(sections: dict[str, Any], words: str, key: str) -> None:
    """A pool of GPUs has no node at all until somebody asks for one."""
    problems, remarks = looked_at(Cluster(CPU_NODE), GROWS, **sections)
    assert problems == []
    assert [words in one and one.endswith("an autoscaler is to add one") for one in remarks] == [True]

    problems, remarks = looked_at(Cluster(CPU_NODE), **sections)
    assert ([one.key for one in problems], remarks) == ([key], [])
    assert words in problems[0].message


HPA: dict[str, Any] = {"scale": {"min": 3, "max": 6}, "run": {"cpu": 1.0, "gpu": 1}}


@pytest.mark.parametrize(
    ("strategy", "serving", "pods"),
    [
        ("rolling", 0, 3),
        ("blue-green", 0, 3),
        ("blue-green", 6, 6),
        ("rolling", 6, 1),
    ],
)
def test_pods_that_an_autoscaler_will_ask_for_are_counted(strategy: str, serving: int, pods: int) -> None:
    """4 GPUs are there. A rolling release that surges needs one more than what serves has."""
    problems, _ = looked_at(Cluster(GPU_NODE, serving=serving), strategy=strategy, **HPA)
    assert [one.message for one in problems] == (
        [f"a rollout needs {pods} free nvidia.com/gpu ({pods} pods), and there is room for 4"] if pods > 4 else []
    )

    problems, _ = looked_at(Cluster(CPU_NODE | {"status": few(pods - 1)}, serving=serving), strategy=strategy, **HPA)
    assert f"({pods} pods), and there is room for {pods - 1}" in problems[0].message


def few(gpus: int) -> dict[str, Any]:
    """A node that has taken others' pods: so many places are left, of many."""
    return {**CPU_NODE["status"], "allocatable": {"cpu": "64", "nvidia.com/gpu": str(max(1, gpus)), "pods": str(gpus)}}
