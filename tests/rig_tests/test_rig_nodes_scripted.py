"""Each scripted behaviour on the real control plane: pods, Events and Deployments say what they would in earnest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rig.kubernetes.handle import KubeRig
from tests.rig_tests.pods_on_the_rig import Object, Pods, pods_in

pytestmark = pytest.mark.integration

IMAGE = "rig.test/shop:1"
LABEL = "rig.shipper.dev/behaviour"


@pytest.fixture
def pods(kube_rig: KubeRig) -> Iterator[Pods]:
    with pods_in(kube_rig) as found:
        yield found


def test_there_are_three_nodes_and_one_with_gpus(kube_rig: KubeRig) -> None:
    status, found = kube_rig.request("GET", "/api/v1/nodes?labelSelector=rig.shipper.dev/node")
    assert status == 200
    room = {node["metadata"]["name"]: node["status"]["allocatable"] for node in found["items"]}
    assert {"node-a", "node-b", "node-c", "gpu-a"} <= set(room)
    assert room["gpu-a"]["nvidia.com/gpu"] == "2"
    assert all(
        {"type": "Ready", "status": "True"}.items() <= node["status"]["conditions"][-1].items()
        for node in found["items"]
    )


def test_a_good_deployment_becomes_available(pods: Pods) -> None:
    pods.deploy("shop", IMAGE, replicas=3, labels={LABEL: "good"})
    pods.until(lambda: pods.is_ready("shop", 3))
    pods.until(lambda: progress(pods, "shop").get("reason") == "NewReplicaSetAvailable")
    assert pods.condition(pods.get("apps/v1", "deployments", "shop"), "Available")["status"] == "True"
    assert f'Pulling image "{IMAGE}"' in pods.events("Pulling")


def test_a_missing_image_is_an_image_pull_back_off(pods: Pods) -> None:
    pods.rig.nodes.behave("missing", image="rig.test/shop", namespace=pods.namespace)
    pods.deploy("shop", IMAGE, deployment={"progressDeadlineSeconds": 1})
    pods.until(lambda: pods.waits_for("shop") == "ImagePullBackOff")
    said = pods.container("shop")["state"]["waiting"]["message"]
    assert said.startswith(f'Back-off pulling image "{IMAGE}": ErrImagePull: rpc error: code = NotFound')
    assert any(one.startswith(f'Failed to pull image "{IMAGE}": rpc error') for one in pods.events("Failed"))
    pods.until(lambda: progress(pods, "shop").get("reason") == "ProgressDeadlineExceeded")
    status, said = pods.logs(pods.of("shop")[0]["metadata"]["name"])
    assert (status, said["message"].endswith("is waiting to start: trying and failing to pull image")) == (400, True)


def test_a_name_that_is_none_is_an_invalid_image_name(pods: Pods) -> None:
    pods.deploy("shop", "rig.test/Shop:1")
    pods.until(lambda: pods.waits_for("shop") == "InvalidImageName")
    assert "couldn't parse image name" in pods.container("shop")["state"]["waiting"]["message"]
    assert pods.events("InspectFailed")


def test_a_crash_is_a_crash_loop_with_the_previous_log(pods: Pods) -> None:
    pods.rig.nodes.behave("crash", namespace=pods.namespace, code=3, lines=["cannot load the model"])
    pods.deploy("shop", IMAGE)
    seen: list[Object] = []

    def loops() -> bool:
        seen.append(pods.container("shop"))
        return "waiting" in seen[-1].get("state", {}) and seen[-1]["restartCount"] >= 2

    pods.until(loops)
    assert seen[-1]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert seen[-1]["state"]["waiting"]["message"].startswith("back-off ")
    last = seen[-1]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    name = pods.of("shop")[0]["metadata"]["name"]
    assert pods.logs(name, "?previous=true") == (200, "cannot load the model\n")
    assert f"Back-off restarting failed container app in pod {name}_{pods.namespace}" in pods.events("BackOff")[0]


def test_out_of_memory_is_oom_killed_with_137(pods: Pods) -> None:
    pods.deploy("shop", IMAGE, labels={LABEL: "oom"})
    pods.until(lambda: pods.container("shop").get("lastState", {}).get("terminated") is not None)
    last = pods.container("shop")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "OOMKilled")


def test_a_secret_that_is_missing_is_a_config_error_until_it_is_there(pods: Pods) -> None:
    key = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}
    pods.deploy("shop", IMAGE, labels={LABEL: "good"}, env=[key])
    pods.until(lambda: pods.waits_for("shop") == "CreateContainerConfigError")
    assert pods.container("shop")["state"]["waiting"]["message"] == 'secret "keys" not found'
    pods.apply("v1", "Secret", "secrets", "keys", {"stringData": {"other": "x"}})
    missing = f"couldn't find key token in Secret {pods.namespace}/keys"
    pods.until(lambda: pods.container("shop")["state"].get("waiting", {}).get("message") == missing)
    pods.apply("v1", "Secret", "secrets", "keys", {"stringData": {"token": "x"}})
    pods.until(lambda: pods.is_ready("shop"))


def test_a_volume_whose_config_map_is_missing_keeps_the_pod_creating(pods: Pods) -> None:
    volume = {"name": "settings", "configMap": {"name": "settings"}}
    mount = {"name": "settings", "mountPath": "/settings"}
    pods.deploy("shop", IMAGE, labels={LABEL: "good"}, pod={"volumes": [volume]}, volumeMounts=[mount])
    said = 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found'
    pods.until(lambda: said in pods.events("FailedMount"))
    assert pods.waits_for("shop") == "ContainerCreating"


def test_not_ready_is_said_by_events_and_never_becomes_ready(pods: Pods) -> None:
    pods.deploy("shop", IMAGE, labels={LABEL: "notready"}, deployment={"progressDeadlineSeconds": 1})
    pods.until(lambda: "Readiness probe failed: HTTP probe failed with statuscode: 503" in pods.events("Unhealthy"))
    pods.until(lambda: progress(pods, "shop").get("reason") == "ProgressDeadlineExceeded")
    assert pods.of("shop")[0]["status"]["phase"] == "Running"
    assert pods.condition(pods.of("shop")[0], "Ready")["message"] == "containers with unready status: [app]"


def test_slow_is_ready_after_its_seconds(pods: Pods) -> None:
    pods.deploy("shop", IMAGE, labels={LABEL: "slow-1"})
    pods.until(lambda: bool(pods.container("shop").get("state", {}).get("running")))
    assert not pods.is_ready("shop")
    pods.until(lambda: pods.is_ready("shop"))


def test_more_gpus_than_there_are_is_unschedulable_until_a_node_comes(pods: Pods) -> None:
    node = f"gpu-{pods.namespace}"
    pods.deploy("shop", IMAGE, labels={LABEL: "good"}, resources={"limits": {"nvidia.com/gpu": 4}})
    pods.until(lambda: bool(pods.of("shop")) and scheduled(pods).get("reason") == "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in scheduled(pods)["message"]
    pods.rig.nodes.add(node, {"nvidia.com/gpu": "4"})
    try:
        pods.until(lambda: pods.is_ready("shop"))
        assert pods.of("shop")[0]["spec"]["nodeName"] == node
    finally:
        pods.rig.nodes.remove(node)


def test_a_cordoned_node_takes_no_pods_and_a_tainted_one_loses_them(pods: Pods) -> None:
    node = f"one-{pods.namespace}"
    pods.rig.nodes.add(node, labels={"pool": pods.namespace})
    try:
        pods.rig.nodes.cordon(node)
        pods.deploy("shop", IMAGE, labels={LABEL: "good"}, pod={"nodeSelector": {"pool": pods.namespace}})
        pods.until(lambda: bool(pods.of("shop")) and scheduled(pods).get("reason") == "Unschedulable")
        pods.rig.nodes.cordon(node, on=False)
        pods.until(lambda: pods.is_ready("shop"))
        pods.rig.nodes.taint(node, [{"key": "going", "value": "yes", "effect": "NoExecute"}])
        pods.until(lambda: bool(pods.of("shop")) and "untolerated taint" in scheduled(pods).get("message", ""))
    finally:
        pods.rig.nodes.remove(node)


@pytest.mark.parametrize(("behaviour", "condition"), [("exit-0", "Complete"), ("exit-4", "Failed")])
def test_a_jobs_exit_code_decides(pods: Pods, behaviour: str, condition: str) -> None:
    pods.job("migrate", IMAGE, {LABEL: behaviour})
    pods.until(lambda: pods.condition(pods.get("batch/v1", "jobs", "migrate"), condition).get("status") == "True")
    pod = pods.all_of("pods")[0]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == int(behaviour[-1])
    assert pod["status"]["phase"] == ("Succeeded" if condition == "Complete" else "Failed")


def test_an_init_container_that_fails_holds_the_others_back(pods: Pods) -> None:
    pods.rig.nodes.behave("exit", namespace=pods.namespace, container="migrate", code=2)
    pods.rig.nodes.behave("good", namespace=pods.namespace, container="app")
    pods.deploy("shop", IMAGE, pod={"initContainers": [{"name": "migrate", "image": IMAGE}]})
    pods.until(lambda: bool(init(pods)) and "waiting" in init(pods)["state"] and init(pods)["restartCount"] >= 1)
    assert init(pods)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert pods.waits_for("shop") == "PodInitializing"
    assert pods.of("shop")[0]["status"]["phase"] == "Pending"


def test_a_label_that_says_nothing_known_is_an_event(pods: Pods) -> None:
    pods.deploy("shop", IMAGE, labels={LABEL: "explode"})
    pods.until(lambda: any("'explode' is no behaviour" in one for one in pods.events("FailedCreatePodSandBox")))


def test_a_deleted_pod_is_gone_and_replaced(pods: Pods) -> None:
    pods.deploy("shop", IMAGE, labels={LABEL: "good"})
    pods.until(lambda: pods.is_ready("shop"))
    name = pods.of("shop")[0]["metadata"]["name"]
    pods.delete("pods", name)
    pods.until(lambda: name not in [one["metadata"]["name"] for one in pods.of("shop")] and pods.is_ready("shop"))


def test_a_killed_container_is_started_again(pods: Pods) -> None:
    pods.deploy("shop", IMAGE, labels={LABEL: "good"})
    pods.until(lambda: pods.is_ready("shop"))
    pods.rig.nodes.kill(pods.namespace, pods.of("shop")[0]["metadata"]["name"])
    pods.until(lambda: pods.container("shop")["restartCount"] == 1 and pods.is_ready("shop"))
    assert pods.container("shop")["lastState"]["terminated"]["exitCode"] == 137


def progress(pods: Pods, name: str) -> dict[str, str]:
    return pods.condition(pods.get("apps/v1", "deployments", name), "Progressing")


def scheduled(pods: Pods) -> dict[str, str]:
    return pods.condition(pods.of("shop")[0], "PodScheduled")


def init(pods: Pods) -> Object:
    found = pods.of("shop")
    statuses: list[Object] = found[0]["status"].get("initContainerStatuses", []) if found else []
    return statuses[0] if statuses else {}
