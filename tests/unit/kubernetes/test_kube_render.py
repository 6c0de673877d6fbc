"""A release becomes manifests: legal, tight, the same each time, and silent about which release they are."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shipper.model import Settings
from shipper.targets import Invalid
from shipper_targets.kubernetes.labels import BASE, IDENTITY, RELEASE, STAMP, WORKLOAD
from shipper_targets.kubernetes.manifest import Rendered, identified, renamed
from shipper_targets.kubernetes.names import Shape, base_of, revision_name
from shipper_targets.kubernetes.pod import literal
from shipper_targets.kubernetes.probes import probes_of, start_budget
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.unit.kubernetes.kube_rendering import (
    DIGEST,
    ID,
    OTHER_DIGEST,
    REPOSITORY,
    UID,
    configurations,
    manifests_text,
    own,
    release_of,
    settings_of,
)

pytestmark = pytest.mark.unit

MANY = hypothesis_settings(max_examples=60)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
OTHER_ID = "01M7Z6KKGHFZM5B2GX6JWMZZZZ"


def rendered(
    settings: Settings | None = None,
    target: KubernetesSettings | None = None,
    shape: Shape = "rolling",
    **release: Any,
) -> Rendered:
    return render(release_of(settings, **release), target or own(), shape)


def deployment(whole: Rendered) -> Any:
    return whole.main.copied()


def pod(whole: Rendered) -> Any:
    return deployment(whole)["spec"]["template"]["spec"]


def container(whole: Rendered) -> Any:
    return pod(whole)["containers"][0]


def kinds(whole: Rendered) -> list[str]:
    return [manifest.kind for manifest in whole.manifests]


@MANY
@given(configurations)
def test_whatever_is_configured_becomes_text_that_reads_back_equal(
    configuration: tuple[Settings, KubernetesSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    for shape in ("rolling", "weighted"):
        whole = render(release_of(settings, secrets=secrets), target, shape)
        read = list(yaml.safe_load_all(manifests_text(whole.manifests)))
        assert read == [manifest.body for manifest in whole.manifests]


@MANY
@given(configurations)
def test_names_are_legal_and_no_two_objects_have_one(
    configuration: tuple[Settings, KubernetesSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    for shape in ("rolling", "weighted"):
        whole = render(release_of(settings, secrets=secrets, number=9_999_999), target, shape)
        assert all(LABEL.fullmatch(manifest.name) for manifest in whole.manifests)
        assert all(LABEL.fullmatch(manifest.labels[BASE]) for manifest in whole.manifests)
        assert len(whole.keys) == len(whole.manifests)
        volumes = [one["name"] for one in pod(whole).get("volumes", ())]
        assert len({*volumes}) == len(volumes)


@MANY
@given(configurations)
def test_another_release_of_the_same_content_is_the_same_bytes(
    configuration: tuple[Settings, KubernetesSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    one = release_of(settings, secrets=secrets, number=7, release_id=ID)
    other = release_of(settings, secrets=secrets, number=8, release_id=OTHER_ID, rollback_to=3)
    first, second = render(one, target, "rolling"), render(other, target, "rolling")
    assert manifests_text(first.manifests) == manifests_text(second.manifests)
    assert first.content == second.content
    old, new = revision_name(base_of(settings, target.name), one), revision_name(base_of(settings, target.name), other)
    weighted = render(one, target, "weighted")
    assert weighted.content == render(other, target, "weighted").content
    assert renamed(weighted, old, new) == render(other, target, "weighted")


@MANY
@given(configurations)
def test_which_release_it_is_stands_nowhere(
    configuration: tuple[Settings, KubernetesSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    release = release_of(settings, secrets=secrets)
    text = manifests_text(render(release, target, "rolling").manifests)
    assert release.id not in text
    assert release.fingerprint not in text
    assert not any(key in text for key in IDENTITY)


def test_identity_and_stamp_are_added_to_the_object_and_not_to_its_pods() -> None:
    release = release_of(number=44, rollback_to=41)
    whole = rendered()
    marked = identified(whole.main, release, "v1 12 44")
    annotations = marked.body["metadata"]["annotations"]
    assert annotations[RELEASE] == release.id
    assert annotations[STAMP] == "v1 12 44"
    assert annotations["kubernetes.io/change-cause"] == "shipper: #44 (rollback to #41)"
    assert marked.body["spec"] == whole.main.body["spec"]
    assert RELEASE not in whole.main.body["metadata"].get("annotations", {})


def test_a_plain_service_is_an_account_a_deployment_and_a_service() -> None:
    whole = rendered()
    assert kinds(whole) == ["ServiceAccount", "Deployment", "Service"]
    assert container(whole)["image"] == f"{REPOSITORY}@{DIGEST}"
    assert whole.of_kind("Service")[0].body["spec"]["selector"] == {
        "app.kubernetes.io/instance": "shop",
        WORKLOAD: "shop",
    }
    assert deployment(whole)["spec"]["selector"]["matchLabels"].items() <= (
        deployment(whole)["spec"]["template"]["metadata"]["labels"].items()
    )


def test_pods_are_tight_by_default() -> None:
    whole = rendered()
    assert pod(whole)["automountServiceAccountToken"] is False
    assert pod(whole)["enableServiceLinks"] is False
    assert pod(whole)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(whole)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert pod(whole)["volumes"] == [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]


def test_what_is_loosened_is_loosened_by_name() -> None:
    loose = own(security={"run_as_root": True, "writable_root": True, "capabilities": ["NET_BIND_SERVICE"]})
    whole = rendered(target=loose)
    assert pod(whole)["securityContext"]["runAsNonRoot"] is False
    assert container(whole)["securityContext"]["readOnlyRootFilesystem"] is False
    assert container(whole)["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    assert "volumes" not in pod(whole)


def test_memory_is_requested_as_it_is_limited_and_cpu_is_requested_only() -> None:
    settings = settings_of(run={"cpu": 0.5, "memory": "512MiB", "gpu": 1})
    assert container(rendered(settings))["resources"] == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"memory": "512Mi", "nvidia.com/gpu": "1"},
    }
    assert container(rendered(settings, own(cpu_limit=True)))["resources"]["limits"]["cpu"] == "500m"


def test_variables_are_an_immutable_map_named_by_what_is_in_it() -> None:
    red = rendered(settings_of(run={"env": {"COLOUR": "red", "PRICE": "$(PORT)"}}))
    blue = rendered(settings_of(run={"env": {"COLOUR": "blue", "PRICE": "$(PORT)"}}))
    held = red.of_kind("ConfigMap")[0]
    assert held.body["data"] == {"COLOUR": "red", "PRICE": "$(PORT)"}
    assert held.body["immutable"] is True
    assert held.name != blue.of_kind("ConfigMap")[0].name
    assert container(red)["envFrom"] == [{"configMapRef": {"name": held.name}}]
    assert container(red)["env"] == [{"name": "PORT", "value": "8080"}]


def test_a_port_of_ones_own_wins_as_it_does_on_docker() -> None:
    whole = rendered(settings_of(run={"env": {"PORT": "1234"}}))
    assert "env" not in container(whole)


@pytest.mark.parametrize(
    ("meant", "written"),
    [
        ("plain", "plain"),
        ("echo $HOME", "echo $HOME"),
        ("$(PORT)", "$$(PORT)"),
        ("$$", "$$$$"),
        ("a$b $(C)", "a$$b $$(C)"),
    ],
)
def test_arguments_reach_the_container_as_they_are(meant: str, written: str) -> None:
    assert literal(meant) == written
    whole = rendered(settings_of(run={"command": [meant]}))
    assert container(whole)["args"] == [written]
    assert "command" not in container(whole)


def test_secrets_are_files_that_the_user_can_read() -> None:
    settings = settings_of(run={"secrets": {"API_KEY": "kubernetes:keys/api"}, "user": "1000:2000"})
    whole = rendered(settings, secrets={"API_KEY": f"kubernetes:keys/api@{UID}.17"})
    volume = next(one for one in pod(whole)["volumes"] if one["name"] == "secrets")
    assert volume["projected"] == {
        "defaultMode": 0o440,
        "sources": [{"secret": {"name": "keys", "items": [{"key": "api", "path": "API_KEY"}]}}],
    }
    assert {"name": "secrets", "mountPath": "/run/secrets/API_KEY", "subPath": "API_KEY", "readOnly": True} in (
        container(whole)["volumeMounts"]
    )
    assert pod(whole)["securityContext"]["fsGroup"] == 2000
    assert pod(whole)["securityContext"]["runAsUser"] == 1000


def test_secrets_as_variables_stay_references() -> None:
    settings = settings_of(run={"secrets": {"API_KEY": "kubernetes:keys/api"}, "secrets_as": "environment"})
    whole = rendered(settings, secrets={"API_KEY": f"kubernetes:keys/api@{UID}.17"})
    reference = {"secretKeyRef": {"name": "keys", "key": "api"}}
    assert {"name": "API_KEY", "valueFrom": reference} in container(whole)["env"]
    assert "fsGroup" not in pod(whole)["securityContext"]


def test_a_new_value_of_a_secret_makes_new_pods() -> None:
    settings = settings_of(run={"secrets": {"API_KEY": "kubernetes:keys/api"}})
    before = rendered(settings, secrets={"API_KEY": f"kubernetes:keys/api@{UID}.17"})
    after = rendered(settings, secrets={"API_KEY": f"kubernetes:keys/api@{UID}.18"})
    assert deployment(before)["spec"]["template"] != deployment(after)["spec"]["template"]
    assert pod(before) == pod(after)


def test_a_secret_of_another_place_is_refused() -> None:
    with pytest.raises(Invalid, match="kubernetes:SECRET/KEY"):
        rendered(secrets={"API_KEY": "projects/p/secrets/s/versions/7"})


def test_volumes_are_claims_and_maps_and_read_only() -> None:
    volumes = [
        {"source": "pvc:models/iris/v3", "target": "/models"},
        {"source": "pvc:models/labels", "target": "/labels"},
        {"source": "configmap:limits", "target": "/etc/limits"},
    ]
    whole = rendered(settings_of(run={"volumes": volumes}))
    assert pod(whole)["volumes"][:2] == [
        {"name": "volume-0", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        {"name": "volume-1", "configMap": {"name": "limits"}},
    ]
    assert container(whole)["volumeMounts"][:3] == [
        {"name": "volume-0", "mountPath": "/models", "readOnly": True, "subPath": "iris/v3"},
        {"name": "volume-0", "mountPath": "/labels", "readOnly": True, "subPath": "labels"},
        {"name": "volume-1", "mountPath": "/etc/limits", "readOnly": True},
    ]


@pytest.mark.parametrize(
    ("startup", "started_in", "budget"),
    [(60, None, 60), (600, 2.0, 32), (600, 2.9, 32), (600, 3.3, 64), (60, 45.0, 60), (20, 0.1, 20), (600, 0.0, 30)],
)
def test_a_start_has_the_measured_time_with_a_margin_and_never_more_than_configured(
    startup: float, started_in: float | None, budget: int
) -> None:
    assert start_budget(startup, started_in) == budget
    probe = container(rendered(settings_of(health={"startup": startup}), started_in=started_in))["startupProbe"]
    assert budget <= probe["periodSeconds"] * probe["failureThreshold"] < budget + probe["periodSeconds"]


@given(st.floats(1, 3600), st.floats(0.1, 120), st.one_of(st.none(), st.floats(0.1, 600)))
def test_what_is_ready_is_seen_soon_however_long_a_try_may_take(
    startup: float, timeout: float, started_in: float | None
) -> None:
    """The price: where each try hangs, the kubelet gives up later; the release's own deadline does not."""
    health = settings_of(health={"startup": startup, "timeout": timeout}).health
    probe, budget = probes_of(health, started_in)["startupProbe"], start_budget(startup, started_in)

    assert 1 <= probe["periodSeconds"] <= max(1, budget / 60)
    assert budget <= probe["periodSeconds"] * probe["failureThreshold"] < budget + probe["periodSeconds"]
    assert probe["timeoutSeconds"] == math.ceil(timeout)


def test_liveness_is_only_asked_where_a_path_for_it_is_configured() -> None:
    assert "livenessProbe" not in container(rendered())
    asked = container(rendered(settings_of(health={"liveness": "/alive"})))["livenessProbe"]
    assert asked["httpGet"] == {"path": "/alive", "port": "http", "scheme": "HTTP"}


def test_a_pod_has_time_to_leave_and_then_to_stop() -> None:
    whole = rendered(settings_of(run={"stop_grace": 30}), own(pre_stop=5))
    assert pod(whole)["terminationGracePeriodSeconds"] == 35
    assert container(whole)["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert "lifecycle" not in container(rendered(target=own(pre_stop=0)))


def test_a_range_of_pods_is_an_autoscalers_business() -> None:
    whole = rendered(settings_of(scale={"min": 2, "max": 10}, run={"cpu": 1}))
    assert "replicas" not in deployment(whole)["spec"]
    hpa = whole.of_kind("HorizontalPodAutoscaler")[0].body["spec"]
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (2, 10)
    assert hpa["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    assert whole.of_kind("PodDisruptionBudget")[0].body["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize(("scale", "pods"), [({}, 1), ({"min": 3}, 3), ({"min": 3, "max": 3}, 3), ({"max": 1}, 1)])
def test_a_number_of_pods_is_ours(scale: dict[str, int], pods: int) -> None:
    whole = rendered(settings_of(scale=scale))
    assert deployment(whole)["spec"]["replicas"] == pods
    assert not whole.of_kind("HorizontalPodAutoscaler")
    assert len(whole.of_kind("PodDisruptionBudget")) == (1 if pods > 1 else 0)


def test_a_rolling_release_never_has_less_than_it_needs() -> None:
    assert deployment(rendered())["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0},
    }
    recreated = rendered(settings_of(rollout={"strategy": "recreate"}))
    assert deployment(recreated)["spec"]["strategy"] == {"type": "Recreate"}


def test_old_replica_sets_are_kept_as_long_as_a_rollback_may_want_them() -> None:
    assert deployment(rendered(settings_of(rollback={"releases": 30})))["spec"]["revisionHistoryLimit"] == 31


def test_beside_each_other_releases_have_names_of_their_own_and_share_the_service() -> None:
    gateway = own(gateway={"name": "front", "hosts": ["shop.example.com"]})
    whole = rendered(target=gateway, shape="weighted")
    revision = "shop-7-wmrerd"
    assert whole.main.name == revision
    assert [one.name for one in whole.of_kind("Service")] == [revision, "shop"]
    assert whole.of_kind("Service")[1].body["spec"]["selector"][WORKLOAD] == revision
    route = whole.of_kind("HTTPRoute")[0].body["spec"]["rules"][0]
    assert route["backendRefs"] == [{"group": "", "kind": "Service", "name": revision, "port": 80, "weight": 100}]
    assert [one.name for one in rendered(shape="weighted").of_kind("Service")] == ["shop"]


def test_a_renamed_release_keeps_what_the_user_wrote() -> None:
    revision = "shop-7-wmrerd"
    settings = settings_of(run={"env": {"WHO": revision}, "command": [revision]})
    whole = renamed(rendered(settings, shape="weighted"), revision, "shop-9-abcdef")
    assert whole.main.name == "shop-9-abcdef"
    assert container(whole)["args"] == [revision]
    assert whole.of_kind("ConfigMap")[0].body["data"] == {"WHO": revision}
    constraint = pod(whole)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]
    assert constraint[WORKLOAD] == "shop-9-abcdef"
    with pytest.raises(ValueError, match="is not shop-1-aaaaaa"):
        renamed(whole, "shop-1-aaaaaa", "shop-2-bbbbbb")


def test_another_image_is_another_content_and_another_name_is_too() -> None:
    assert rendered().content != rendered(digest=OTHER_DIGEST).content
    assert rendered().content != rendered(target=own(name="boutique")).content


def test_pods_go_to_nodes_that_can_run_the_image() -> None:
    assert pod(rendered())["nodeSelector"] == {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
    mixed = own(node_selector={"kubernetes.io/arch": "arm64", "pool": "gpu"})
    assert pod(rendered(target=mixed))["nodeSelector"]["kubernetes.io/arch"] == "arm64"


def test_an_ingress_leads_to_the_service() -> None:
    exposed = own(ingress={"host": "shop.example.com", "class_name": "nginx", "tls_secret": "shop-tls"})
    spec = rendered(target=exposed).of_kind("Ingress")[0].body["spec"]
    assert spec["tls"] == [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}]
    assert spec["rules"][0]["http"]["paths"][0]["backend"] == {"service": {"name": "shop", "port": {"number": 80}}}


def test_manifests_are_values_that_travel_as_json() -> None:
    whole = rendered(settings_of(run={"command": ["a", "b"], "env": {"A": "b"}}), shape="weighted")
    for manifest in whole.manifests:
        assert json.loads(json.dumps(manifest.body)) == manifest.body
