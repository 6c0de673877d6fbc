"""The builders that buildx makes in a cluster for our settings, against a real control plane.

The rig's nodes run no BuildKit and let nobody exec into a pod (their kubelet answers 501), so that what is proved ends
where buildx reaches into a pod that is ready.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shipper.errors import ConfigError, CredentialsError, UnreachableError
from shipper.images.builder import instance_of
from shipper.images.builder_ready import look_at_builder, ready_builder
from shipper.model import ImageSettings
from tests.integration.images.conftest import Switch, Told

if TYPE_CHECKING:
    from tests.rig.kubernetes.handle import KubeRig

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("rig")]

PLATFORM = "linux/amd64"
NEEDED = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
]
"""docs/howto.md: the Role of who builds."""


@pytest.fixture
def settings(
    kube_rig: KubeRig, kube_namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ImageSettings]:
    """`[image.kubernetes]` for a fresh namespace; nothing of the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("KUBECONFIG", raising=False)

    def make(**more: Any) -> ImageSettings:
        reached = {"context": "rig", "namespace": kube_namespace, "kubeconfig": str(kube_rig.kubeconfig())}
        return ImageSettings.model_validate({"builder": "kubernetes", "kubernetes": {**reached, **more}})

    return make


def start(image: ImageSettings) -> None:
    ready_builder(image, Path("/"), PLATFORM, {}, Told(), Switch())


def look(image: ImageSettings) -> str:
    return look_at_builder(image, Path("/"), PLATFORM)


def deployments(kube_rig: KubeRig, namespace: str) -> list[dict[str, Any]]:
    status, found = kube_rig.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments")
    assert status == 200
    return list(found["items"])


def test_the_cluster_gets_what_was_configured(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str
) -> None:
    image = settings(
        replicas=2,
        requests={"cpu": 0.5, "memory": "1GiB"},
        limits={"cpu": 2, "memory": "2GiB"},
        rootless=True,
        node_selector={"example.com/pool": "builds"},
        tolerations=[{"key": "builds", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}],
        service_account="default",
        image="registry.test/buildkit:v0.22.0-rootless",
        start_timeout=2.0,
    )

    with pytest.raises(UnreachableError):
        start(image)

    [made] = deployments(kube_rig, kube_namespace)
    instance = instance_of(image, Path("/"), PLATFORM, {})
    assert instance is not None
    assert made["metadata"]["name"] == instance.node
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "shipper"
    assert made["metadata"]["labels"]["shipper.dev/builder"] == instance.node
    assert made["spec"]["replicas"] == 2
    pod = made["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == "registry.test/buildkit:v0.22.0-rootless"
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": str(2**30)},
        "limits": {"cpu": "2", "memory": str(2**31)},
    }
    assert "privileged" not in container["securityContext"]
    assert pod["nodeSelector"] == {"example.com/pool": "builds", "kubernetes.io/arch": "amd64"}
    assert pod["tolerations"] == [{"key": "builds", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]
    assert pod["serviceAccountName"] == "default"


def test_the_configured_context_is_used_whatever_the_current_one_is(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str, tmp_path: Path
) -> None:
    theirs = json.loads(kube_rig.kubeconfig().read_text())
    dead = {"name": "dead", "cluster": {"server": "https://127.0.0.1:9"}}
    wrong = {"name": "wrong", "context": {"cluster": "dead", "user": "rig", "namespace": "default"}}
    both = {**theirs, "clusters": [*theirs["clusters"], dead], "contexts": [wrong, *theirs["contexts"]]}
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps({**both, "current-context": "wrong"}))

    kube_rig.nodes.behave("slow", namespace=kube_namespace, seconds=600)

    with pytest.raises(UnreachableError, match="not ready"):
        start(settings(kubeconfig=str(file), start_timeout=2.0))

    assert len(deployments(kube_rig, kube_namespace)) == 1
    assert json.loads(file.read_text())["current-context"] == "wrong"


def test_two_runs_at_once_and_a_second_machine_share_one_deployment(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str, tmp_path: Path
) -> None:
    kube_rig.nodes.behave("slow", namespace=kube_namespace, seconds=600)
    copy = tmp_path / "of-another-machine"
    copy.write_bytes(kube_rig.kubeconfig().read_bytes())
    images = [
        settings(start_timeout=4.0),
        settings(start_timeout=4.0),
        settings(start_timeout=4.0, kubeconfig=str(copy)),
    ]
    said: list[str] = []

    def run(image: ImageSettings) -> None:
        with pytest.raises(UnreachableError) as failed:
            start(image)
        said.append(failed.value.message)

    threads = [threading.Thread(target=run, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len(said) == 3
    assert all("was not ready after 4.0 s" in message for message in said)
    assert len(deployments(kube_rig, kube_namespace)) == 1


def test_pods_that_never_get_ready_are_given_up_with_the_command_that_says_why(
    settings: Callable[..., ImageSettings], kube_namespace: str
) -> None:
    with pytest.raises(
        UnreachableError, match=r"was not ready after 2\.0 s: Unschedulable: .*[Ii]nsufficient"
    ) as failed:
        start(settings(requests={"cpu": 900}, start_timeout=2.0))

    assert f"kubectl --context=rig --namespace={kube_namespace} describe pods -l app=shipper-" in failed.value.hint


def test_pods_that_may_not_be_made_are_given_up_at_once(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig
) -> None:
    strict = kube_rig.namespace(labels={"pod-security.kubernetes.io/enforce": "restricted"})

    with pytest.raises(UnreachableError, match=r"cannot get ready: pods cannot be made: .*privileged"):
        start(settings(namespace=strict, start_timeout=300.0))


def test_an_image_that_cannot_be_pulled_is_given_up_at_once(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str
) -> None:
    kube_rig.nodes.behave("missing", namespace=kube_namespace)
    kube_rig.nodes.time_factor(0.05, kube_namespace)

    with pytest.raises(UnreachableError, match=r"cannot get ready: ImagePullBackOff: .*registry\.test/buildkit:none"):
        start(settings(image="registry.test/buildkit:none", start_timeout=300.0))


@pytest.mark.sweep  # buildx tries for 20 s, and we look in between
def test_a_pod_that_is_ready_is_reached_into(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str
) -> None:
    kube_rig.nodes.behave("good", namespace=kube_namespace)

    with pytest.raises(UnreachableError) as failed:
        start(settings(start_timeout=60.0))

    [made] = deployments(kube_rig, kube_namespace)
    assert made["status"]["readyReplicas"] == 1
    assert "not ready" not in failed.value.message


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "deployments"),
        ("create", "deployments"),
        ("list", "pods"),
        pytest.param("create", "pods/exec", marks=pytest.mark.sweep),  # buildx tries for 20 s
    ],
)
def test_one_permission_less_is_named(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str, verb: str, resource: str
) -> None:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    rules = [
        {**rule, "verbs": [each for each in rule["verbs"] if (each, rule["resources"]) != (verb, [resource])]}
        for rule in NEEDED
    ]
    file = kube_rig.kubeconfig_for(kube_namespace, [rule for rule in rules if rule["verbs"]])

    with pytest.raises(CredentialsError, match=f'cannot {verb} resource "{resource}"'):
        start(settings(kubeconfig=str(file), start_timeout=60.0))


def test_exactly_these_permissions_suffice_to_make_it(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str
) -> None:
    kube_rig.nodes.behave("slow", namespace=kube_namespace, seconds=600)
    file = kube_rig.kubeconfig_for(kube_namespace, NEEDED)

    with pytest.raises(UnreachableError, match="was not ready"):
        start(settings(kubeconfig=str(file), start_timeout=3.0))

    assert len(deployments(kube_rig, kube_namespace)) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"context": "nowhere"}, "context was not found"),
        ({"namespace": "is-not-there"}, 'namespaces "is-not-there" not found'),
        ({"requests": {"cpu": 2}, "limits": {"cpu": 1}}, "must be less than or equal to cpu limit"),
    ],
)
def test_what_the_cluster_refuses_is_a_mistake_of_the_configuration(
    settings: Callable[..., ImageSettings], wrong: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        start(settings(**wrong))


def test_a_cluster_that_does_not_answer_is_unreachable(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, tmp_path: Path
) -> None:
    theirs = json.loads(kube_rig.kubeconfig().read_text())
    theirs["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(theirs))

    with pytest.raises(UnreachableError, match="connection refused"):
        start(settings(kubeconfig=str(file)))


def test_looking_makes_nothing_in_the_cluster(
    settings: Callable[..., ImageSettings], kube_rig: KubeRig, kube_namespace: str
) -> None:
    assert "made or started by the first build" in look(settings())
    assert deployments(kube_rig, kube_namespace) == []
