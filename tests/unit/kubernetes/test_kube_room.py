"""Room: amounts, nodes that fit, pods that must find a place at once, quota, limits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper_targets.kubernetes.amounts import amount, show_amount, wanted_by
from shipper_targets.kubernetes.capacity import (
    fitting,
    image_platform_problem,
    largest,
    needed_room,
    platforms_of,
    slots,
    surge,
)
from shipper_targets.kubernetes.quantities import show_cpu, show_memory
from shipper_targets.kubernetes.quota import limit_problems, quota_problems

pytestmark = pytest.mark.unit

GPU = "nvidia.com/gpu"


def node(name: str = "a", *, labels: dict[str, str] | None = None, ready: str = "True", **more: Any) -> dict[str, Any]:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "10", GPU: "2", **more.pop("allocatable", {})}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": more,
        "status": {
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": ready}],
            "nodeInfo": {"operatingSystem": "linux", "architecture": more.pop("arch", "amd64")},
        },
    }


def spec(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "m", "resources": {"requests": requests or {}, "limits": limits or {}}}], **more}


def on(name: str, requests: dict[str, str], phase: str = "Running") -> dict[str, Any]:
    return {"spec": {**spec(requests), "nodeName": name}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2), ("250m", Fraction(1, 4)), ("1.5Gi", 3 * 2**29), ("1e3", 1000), ("1E3", 1000), ("1E", 10**18),
        ("500M", 5 * 10**8), ("-1", -1), (".5", Fraction(1, 2)), (3, 3), ("", 0), ("much", 0), (None, 0), ([], 0),
    ],
)  # fmt: skip
def test_amounts_are_read_as_the_api_server_writes_them(text: Any, value: Any) -> None:
    assert amount(text) == value


@given(st.integers(0, 2**50))
def test_what_we_write_is_what_we_read(size: int) -> None:
    assert amount(show_memory(size)) == size


@given(st.integers(1, 10**6))
def test_cores_too(thousandths: int) -> None:
    assert amount(show_cpu(thousandths / 1000)) == Fraction(thousandths, 1000)


@given(st.one_of(st.text(), st.floats(), st.none()))
def test_no_text_makes_it_raise(value: Any) -> None:
    assert isinstance(amount(value), Fraction)


def test_a_pod_asks_for_its_containers_or_its_largest_init_container_and_sidecars() -> None:
    whole = {
        "containers": [{"resources": {"requests": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "500m"}}}],
        "initContainers": [
            {"restartPolicy": "Always", "resources": {"requests": {"cpu": "250m"}}},
            {"resources": {"requests": {"cpu": "3"}}},
        ],
        "overhead": {"cpu": "100m"},
    }

    assert wanted_by(whole)["cpu"] == Fraction("3.35")


@pytest.mark.parametrize("resource", ["memory", "cpu"])
def test_an_amount_beyond_everything_can_be_shown(resource: str) -> None:
    assert show_amount(resource, amount("1e999"))
    assert show_amount(resource, amount("9" * 400 + "Ei"))


def test_amounts_are_shown_for_people() -> None:
    shown = [show_amount("cpu", Fraction(3, 2)), show_amount(GPU, Fraction(2)), show_amount("memory", Fraction(2**30))]

    assert shown == ["1.5", "2", "1 GiB"]


@pytest.mark.parametrize(
    ("one", "pod", "fits"),
    [
        (node(), spec(), True),
        (node(ready="False"), spec(), False),
        (node(unschedulable=True), spec(), False),
        (node(labels={"pool": "gpu"}), spec(nodeSelector={"pool": "gpu"}), True),
        (node(), spec(nodeSelector={"pool": "gpu"}), False),
        (node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]), spec(), False),
        (node(taints=[{"key": "k", "value": "v", "effect": "PreferNoSchedule"}]), spec(), True),
        (node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
         spec(tolerations=[{"key": "k", "value": "v", "effect": "NoSchedule"}]), True),
        (node(taints=[{"key": "k", "value": "v", "effect": "NoExecute"}]),
         spec(tolerations=[{"key": "k", "value": "v", "effect": "NoSchedule"}]), False),
        (node(taints=[{"key": "k", "effect": "NoSchedule"}]), spec(tolerations=[{"operator": "Exists"}]), True),
        (node(taints=[{"key": "k", "value": "x", "effect": "NoSchedule"}]),
         spec(tolerations=[{"key": "k", "value": "v"}]), False),
    ],
)  # fmt: skip
def test_nodes_that_a_pod_may_go_to(one: dict[str, Any], pod: dict[str, Any], fits: bool) -> None:
    assert bool(fitting([one], pod)) is fits


def test_places_are_counted_node_by_node() -> None:
    """Two halves are no whole: one GPU here and one there take no pod that wants two."""
    nodes = [node("a"), node("b")]
    pods = [on("a", {GPU: "1"}), on("b", {GPU: "1"}), on("b", {GPU: "1"}, phase="Succeeded")]

    assert slots(nodes, pods, {GPU: Fraction(2)}) == 0
    assert slots(nodes, pods, {GPU: Fraction(1)}) == 2
    assert slots(nodes, pods[:1], {GPU: Fraction(2)}) == 1


def test_a_node_takes_no_more_pods_than_it_may() -> None:
    full = node("a", allocatable={"pods": "2"})

    assert slots([full], [on("a", {}), on("a", {})], {"cpu": Fraction(1, 10)}) == 0
    assert slots([full], [on("a", {})], {"cpu": Fraction(1, 10)}) == 1


def test_the_largest_node_says_what_could_ever_be_had() -> None:
    assert largest([node(), node("b", allocatable={"memory": "64Gi"})], "memory") == 64 * 2**30
    assert largest([], "memory") == 0


@pytest.mark.parametrize(
    ("wanted", "value", "up", "pods"),
    [
        (4, "25%", True, 1),
        (3, "25%", True, 1),
        (3, "25%", False, 0),
        (5, "50%", True, 3),
        (5, 2, True, 2),
        (1, "0%", True, 0),
    ],
)
def test_shares_of_pods_are_rounded_as_the_controller_does_it(
    wanted: int, value: int | str, up: bool, pods: int
) -> None:
    assert surge(wanted, value, up=up) == pods


@pytest.mark.parametrize(
    ("case", "pods"),
    [
        ({"wanted": 3, "there": 0}, 3),
        ({"wanted": 3, "there": 3}, 1),
        ({"wanted": 3, "there": 3, "beside": True}, 3),
        ({"wanted": 3, "there": 3, "recreate": True}, 0),
        ({"wanted": 5, "there": 3, "recreate": True}, 2),
        ({"wanted": 3, "there": 3, "max_surge": 0, "max_unavailable": 1}, 0),
        ({"wanted": 3, "there": 3, "max_surge": 1, "max_unavailable": 1}, 0),
    ],
)
def test_pods_that_must_find_room_before_the_rollout_goes_on(case: dict[str, Any], pods: int) -> None:
    usual = {"recreate": False, "beside": False, "max_surge": 1, "max_unavailable": 0}

    assert needed_room(**{**usual, **case}) == pods


def test_platforms_of_nodes_that_take_pods() -> None:
    nodes = [node(), node("b", arch="arm64"), node("c", arch="s390x", unschedulable=True)]

    assert platforms_of(nodes) == ("linux/amd64", "linux/arm64")


@pytest.mark.parametrize(
    ("platforms", "wanted", "words"),
    [
        (("linux/amd64",), None, None),
        (("linux/amd64",), "linux/amd64", None),
        (("linux/arm64",), "linux/arm64/v8", None),
        ((), "linux/amd64", None),
        (("linux/arm64",), "linux/amd64", "nodes run linux/arm64"),
        (("linux/amd64", "linux/arm64"), None, "several platforms"),
        (("linux/amd64", "linux/arm64"), "linux/arm64", None),
    ],
)
def test_an_image_has_to_run_on_the_nodes(platforms: tuple[str, ...], wanted: str | None, words: str | None) -> None:
    found = image_platform_problem(platforms, wanted)

    assert (found is None) if words is None else (found is not None and words in found[0])


def quota(hard: dict[str, str], used: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "q"}, "spec": {"hard": hard, **more}, "status": {"used": used}}


@pytest.mark.parametrize(
    ("one", "pods", "key"),
    [
        (quota({"pods": "3"}, {"pods": "2"}), 1, None),
        (quota({"pods": "3"}, {"pods": "2"}), 2, "scale.min"),
        (quota({"count/pods": "3"}, {"count/pods": "3"}), 1, "scale.min"),
        (quota({"requests.memory": "1Gi"}, {"requests.memory": "512Mi"}), 1, None),
        (quota({"requests.memory": "1Gi"}, {"requests.memory": "768Mi"}), 1, "run.memory"),
        (quota({"memory": "1Gi"}, {"memory": "768Mi"}), 1, "run.memory"),
        (quota({"limits.cpu": "1"}, {"limits.cpu": "1"}), 1, "run.cpu"),
        (quota({f"requests.{GPU}": "1"}, {f"requests.{GPU}": "1"}), 1, "scale.min"),
        (quota({"pods": "1"}, {"pods": "2"}), 0, None),
        (quota({"pods": "0"}, {}, scopes=["BestEffort"]), 1, None),
        (quota({"services": "1"}, {"services": "1"}), 1, None),
    ],
)
def test_quota_that_is_left(one: dict[str, Any], pods: int, key: str | None) -> None:
    pod = spec({"memory": "512Mi", "cpu": "1"}, {"cpu": "1", GPU: "1"})

    assert [found for found, _ in quota_problems([one], pod, pods)] == ([] if key is None else [key])


@pytest.mark.parametrize(
    ("limit", "keys"),
    [
        ({"max": {"memory": "1Gi"}}, []),
        ({"max": {"memory": "256Mi"}}, ["run.memory"]),
        ({"min": {"memory": "1Gi"}}, ["run.memory"]),
        ({"min": {"cpu": "2"}}, ["run.cpu"]),
        ({"max": {"ephemeral-storage": "1Gi"}, "default": {"ephemeral-storage": "2Gi"}}, ["run"]),
        ({"type": "Pod", "max": {"memory": "1Mi"}}, []),
    ],
)
def test_limits_of_the_namespace(limit: dict[str, Any], keys: list[str]) -> None:
    given_limit = {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", **limit}]}}
    pod = spec({"cpu": "1"}, {"memory": "512Mi"})

    assert [key for key, _ in limit_problems([given_limit], pod)] == keys
