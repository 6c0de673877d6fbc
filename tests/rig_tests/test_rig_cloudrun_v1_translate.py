"""v1 and v2 of the rig's Cloud Run say the same thing: translation there and back changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.cloud import run_v2
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rig.google.cloudrun.defaults import fill_service
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.v1_conditions import condition_to_v1
from tests.rig.google.cloudrun.v1_lists import page, selected
from tests.rig.google.cloudrun.v1_translate import (
    configuration_of,
    revision_to_v1,
    route_of,
    service_from_v1,
    service_to_v1,
)

pytestmark = pytest.mark.unit

NAME = "projects/demo/locations/us-central1/services/shop"

WANTED: dict[str, Any] = {
    "name": NAME,
    "description": "a shop",
    "labels": {"team": "red"},
    "annotations": {"shipper.dev/stamp": "7:41"},
    "client": "shipper",
    "clientVersion": "1",
    "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "launchStage": "BETA",
    "binaryAuthorization": {"useDefault": True},
    "customAudiences": ["https://shop.example"],
    "invokerIamDisabled": True,
    "scaling": {"minInstanceCount": 2, "maxInstanceCount": 9, "scalingMode": "AUTOMATIC"},
    "traffic": [
        {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "shop-1", "percent": 90},
        {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "shop-2", "tag": "next"},
        {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 10},
    ],
    "template": {
        "revision": "shop-2",
        "labels": {"release": "41"},
        "annotations": {"shipper.dev/release": "{}"},
        "scaling": {"minInstanceCount": 1, "maxInstanceCount": 5},
        "vpcAccess": {
            "connector": "c",
            "egress": "ALL_TRAFFIC",
            "networkInterfaces": [{"network": "n", "tags": ["t"]}],
        },
        "timeout": "60s",
        "serviceAccount": "shop@demo.iam.gserviceaccount.com",
        "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
        "encryptionKey": "projects/demo/locations/l/keyRings/r/cryptoKeys/k",
        "encryptionKeyRevocationAction": "SHUTDOWN",
        "encryptionKeyShutdownDuration": "7200s",
        "maxInstanceRequestConcurrency": 4,
        "sessionAffinity": True,
        "healthCheckDisabled": True,
        "nodeSelector": {"accelerator": "nvidia-l4"},
        "gpuZonalRedundancyDisabled": True,
        "containers": [
            {
                "name": "app",
                "image": "us-docker.pkg.dev/demo/app/shop@sha256:" + "1" * 64,
                "command": ["serve"],
                "args": ["--fast"],
                "workingDir": "/srv",
                "env": [
                    {"name": "PLAIN", "value": "x=y"},
                    {"name": "OURS", "valueSource": {"secretKeyRef": {"secret": "token", "version": "7"}}},
                    {
                        "name": "THEIRS",
                        "valueSource": {"secretKeyRef": {"secret": "projects/other/secrets/key", "version": "1"}},
                    },
                ],
                "resources": {"limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}, "startupCpuBoost": True},
                "ports": [{"name": "h2c", "containerPort": 9000}],
                "volumeMounts": [
                    {"name": "keys", "mountPath": "/keys"},
                    {"name": "models", "mountPath": "/models", "subPath": "v1"},
                    {"name": "cloudsql", "mountPath": "/cloudsql"},
                ],
                "startupProbe": {"timeoutSeconds": 3, "httpGet": {"path": "/up", "port": 9000}},
                "livenessProbe": {"grpc": {"port": 9000, "service": "iris"}},
                "readinessProbe": {"tcpSocket": {"port": 9000}},
                "dependsOn": ["side"],
            },
            {
                "name": "side",
                "image": "side",
                "resources": {"limits": {"cpu": "1"}},
                "volumeMounts": [{"name": "cloudsql", "mountPath": "/cloudsql"}],
            },
        ],
        "volumes": [
            {
                "name": "keys",
                "secret": {"secret": "key", "defaultMode": 256, "items": [{"path": "k", "version": "2", "mode": 128}]},
            },
            {"name": "models", "gcs": {"bucket": "b", "readOnly": True, "mountOptions": ["only-dir=v1", "uid=1"]}},
            {"name": "scratch", "emptyDir": {"medium": "MEMORY", "sizeLimit": "1Gi"}},
            {"name": "share", "nfs": {"server": "10.0.0.1", "path": "/x", "readOnly": True}},
            {"name": "cloudsql", "cloudSqlInstance": {"instances": ["demo:us-central1:db"]}},
        ],
    },
}


def message(v2: dict[str, Any]) -> run_v2.Service:
    """A service from v2's JSON form."""
    made = run_v2.Service()
    json_format.ParseDict(v2, run_v2.Service.pb(made))
    return made


def shown(service: run_v2.Service) -> dict[str, Any]:
    """v2's JSON form of a service."""
    return dict(json_format.MessageToDict(run_v2.Service.pb(service)))


def there_and_back(service: run_v2.Service) -> run_v2.Service:
    """Through v1, as a client that reads and writes what it read."""
    return service_from_v1(json.loads(json.dumps(service_to_v1(service))), service.name)


def test_everything_that_a_user_can_ask_for_survives_v1() -> None:
    wanted = message(WANTED)

    assert shown(there_and_back(wanted)) == shown(wanted)


def test_what_v1_has_elsewhere_is_where_gcloud_looks_for_it() -> None:
    v1 = service_to_v1(message(WANTED))

    template = v1["spec"]["template"]
    assert template["metadata"]["name"] == "shop-2"
    assert template["metadata"]["annotations"] == {
        "shipper.dev/release": "{}",
        "autoscaling.knative.dev/minScale": "1",
        "autoscaling.knative.dev/maxScale": "5",
        "run.googleapis.com/cloudsql-instances": "demo:us-central1:db",
        "run.googleapis.com/container-dependencies": '{"app": ["side"]}',
        "run.googleapis.com/cpu-throttling": "false",
        "run.googleapis.com/encryption-key": "projects/demo/locations/l/keyRings/r/cryptoKeys/k",
        "run.googleapis.com/encryption-key-shutdown-hours": "2",
        "run.googleapis.com/execution-environment": "gen2",
        "run.googleapis.com/gpu-zonal-redundancy-disabled": "true",
        "run.googleapis.com/health-check-disabled": "true",
        "run.googleapis.com/network-interfaces": '[{"network":"n","tags":["t"]}]',
        "run.googleapis.com/post-key-revocation-action-type": "shut-down",
        "run.googleapis.com/secrets": "key-in-other:projects/other/secrets/key",
        "run.googleapis.com/sessionAffinity": "true",
        "run.googleapis.com/startup-cpu-boost": "true",
        "run.googleapis.com/vpc-access-connector": "c",
        "run.googleapis.com/vpc-access-egress": "all-traffic",
    }
    assert template["spec"]["nodeSelector"] == {"run.googleapis.com/accelerator": "nvidia-l4"}
    assert (template["spec"]["containerConcurrency"], template["spec"]["timeoutSeconds"]) == (4, 60)
    assert template["spec"]["volumes"][1]["csi"] == {
        "driver": "gcsfuse.run.googleapis.com",
        "readOnly": True,
        "volumeAttributes": {"bucketName": "b", "mountOptions": "only-dir=v1,uid=1"},
    }
    assert v1["spec"]["traffic"] == [
        {"revisionName": "shop-1", "percent": 90},
        {"revisionName": "shop-2", "tag": "next"},
        {"latestRevision": True, "percent": 10},
    ]
    assert v1["metadata"]["annotations"]["run.googleapis.com/ingress"] == "internal"
    assert v1["metadata"]["labels"] == {"team": "red", "cloud.googleapis.com/location": "us-central1"}


TEXTS = st.text("abcxyz019-_=, \"'$", max_size=12)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)
PROBES = st.one_of(
    st.fixed_dictionaries({"httpGet": st.fixed_dictionaries({"path": st.just("/up"), "port": st.integers(1, 65535)})}),
    st.fixed_dictionaries({"tcpSocket": st.fixed_dictionaries({"port": st.integers(1, 65535)})}),
)
CONTAINERS = st.fixed_dictionaries(
    {
        "image": st.just("docker.io/library/app:1"),
        "env": st.lists(st.fixed_dictionaries({"name": NAMES, "value": TEXTS}), max_size=3),
        "args": st.lists(TEXTS, max_size=3),
        "resources": st.fixed_dictionaries({"cpuIdle": st.booleans(), "startupCpuBoost": st.booleans()}),
    },
    optional={"startupProbe": PROBES, "livenessProbe": PROBES, "command": st.lists(TEXTS, min_size=1, max_size=2)},
)
TEMPLATES = st.fixed_dictionaries(
    {
        "containers": st.lists(CONTAINERS, min_size=1, max_size=1),
        "annotations": st.dictionaries(NAMES.map("shipper.dev/".__add__), TEXTS, max_size=3),
        "labels": st.dictionaries(NAMES, NAMES, max_size=3),
        "sessionAffinity": st.booleans(),
    },
    optional={
        "revision": NAMES.map("shop-".__add__),
        "timeout": st.integers(1, 3600).map("{}s".format),
        "scaling": st.fixed_dictionaries(
            {"minInstanceCount": st.integers(0, 9), "maxInstanceCount": st.integers(9, 99)}
        ),
        "maxInstanceRequestConcurrency": st.integers(1, 1000),
    },
)


@settings(max_examples=60)
@given(template=TEMPLATES)
def test_any_template_that_the_service_has_filled_in_survives_v1(template: dict[str, Any]) -> None:
    service = message({"name": NAME, "template": template})
    fill_service(service, "demo")

    back = there_and_back(service)
    fill_service(back, "demo")

    assert shown(back) == shown(service)  # or a change of traffic by gcloud would make a new revision


def test_what_only_the_platform_writes_is_not_taken_from_a_client() -> None:
    v1 = service_to_v1(
        message({**WANTED, "uid": "u", "generation": "3", "creator": "ann", "urls": ["http://x"]}), "a/op"
    )

    assert v1["metadata"]["annotations"]["run.googleapis.com/operation-id"] == "op"
    assert shown(service_from_v1(v1, NAME)) == shown(message(WANTED))


def test_the_resource_version_is_the_etag() -> None:
    v1 = service_to_v1(message({**WANTED, "etag": '"abc"'}))

    assert v1["metadata"]["resourceVersion"] == "abc"
    assert service_from_v1(v1, NAME).etag == '"abc"'


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ("metadata", "run.googleapis.com/no-such-thing", "x"),
        ("metadata", "run.googleapis.com/ingress", "outside"),
        ("template", "autoscaling.knative.dev/minScale", "many"),
        ("template", "run.googleapis.com/cpu-throttling", "perhaps"),
        ("template", "run.googleapis.com/container-dependencies", "{"),
    ],
)
def test_annotations_that_mean_nothing_are_refused(where: str, key: str, value: str) -> None:
    v1 = service_to_v1(message(WANTED))
    (v1 if where == "metadata" else v1["spec"]["template"])["metadata"]["annotations"][key] = value

    with pytest.raises(ApiError) as refused:
        service_from_v1(v1, NAME)

    assert refused.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "container", [{"env": [{}]}, {"env": "x"}, {"ports": [{"containerPort": "many"}]}, "x"], ids=str
)
def test_a_body_that_is_no_service_is_refused(container: object) -> None:
    with pytest.raises(ApiError, match="INVALID_ARGUMENT"):
        service_from_v1({"spec": {"template": {"spec": {"containers": [container]}}}}, NAME)


def test_a_failed_write_is_observed_so_that_clients_stop_waiting() -> None:
    failed = {"type": "Ready", "state": "CONDITION_FAILED", "reason": "REVISION_FAILED", "message": "no"}
    service = {"name": NAME, "generation": "4", "observedGeneration": "3", "terminalCondition": failed}

    pending = service_to_v1(message({**service, "reconciling": True}))["status"]
    over = service_to_v1(message(service))["status"]
    deleting = service_to_v1(message({**service, "deleteTime": "2026-01-01T00:00:00Z"}))["status"]

    assert pending["observedGeneration"] == 3
    assert over["observedGeneration"] == 4
    assert over["conditions"] == [{"type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "no"}]
    assert deleting["conditions"] == [{"type": "Ready", "status": "Unknown"}]


def test_conditions_are_in_knatives_words() -> None:
    retired = {"type": "Active", "state": "CONDITION_FAILED", "severity": "INFO", "revisionReason": "RETIRED"}

    assert condition_to_v1(retired) == {"type": "Active", "status": "False", "severity": "Info", "reason": "Retired"}
    assert condition_to_v1({"type": "Ready", "state": "CONDITION_RECONCILING"})["status"] == "Unknown"


def test_a_revision_knows_its_service_and_what_it_runs() -> None:
    image = WANTED["template"]["containers"][0]["image"]
    revision = run_v2.Revision(
        name=f"{NAME}/revisions/shop-2",
        service="shop",
        generation=1,
        creator="ann",
        containers=[run_v2.Container(image=image)],
        log_uri="https://logs",
    )

    v1 = revision_to_v1(revision, "uid-1")

    assert v1["metadata"]["labels"]["serving.knative.dev/service"] == "shop"
    assert v1["metadata"]["annotations"]["serving.knative.dev/creator"] == "ann"
    assert (v1["status"]["imageDigest"], v1["status"]["logUrl"]) == (image, "https://logs")


def test_configuration_and_route_are_views_of_the_service() -> None:
    conditions = [
        {"type": "RoutesReady", "state": "CONDITION_SUCCEEDED"},
        {"type": "ConfigurationsReady", "state": "CONDITION_FAILED"},
    ]
    v1 = service_to_v1(message({**WANTED, "conditions": conditions, "uri": "http://x"}))

    configuration, route = configuration_of(v1), route_of(v1)

    assert configuration["status"]["conditions"] == [{"type": "Ready", "status": "False"}]
    assert configuration["spec"] == {"template": v1["spec"]["template"]}
    assert route["status"]["conditions"] == [{"type": "Ready", "status": "True"}]
    assert route["status"]["url"] == "http://x"
    assert route["metadata"]["selfLink"].endswith("/namespaces/demo/routes/shop")


@pytest.mark.parametrize(
    ("selector", "is_selected"),
    [("a = 1", True), ("a==1,b", True), ("a!=1", False), ("!c", True), ("c", False), ("", True), ("a=2", False)],
)
def test_label_selectors(selector: str, is_selected: bool) -> None:
    assert selected(selector, {"a": "1", "b": ""}) is is_selected


def test_lists_come_in_pages_and_refuse_what_they_would_ignore() -> None:
    items = [{"metadata": {"labels": {}, "name": str(number)}} for number in range(5)]

    first = page("Service", items, {"limit": "3"})
    rest = page("Service", items, {"limit": "3", "continue": first["metadata"]["continue"]})

    assert [item["metadata"]["name"] for item in first["items"] + rest["items"]] == ["0", "1", "2", "3", "4"]
    assert rest["metadata"] == {}
    for query in ({"fieldSelector": "x=1"}, {"watch": "true"}, {"labelSelector": "a in (b)"}, {"limit": "x"}):
        with pytest.raises(ApiError):
            page("Service", items, query)
