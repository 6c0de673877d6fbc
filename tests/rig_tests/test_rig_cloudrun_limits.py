"""What the rig's Cloud Run refuses at the door: one case for each rule, and a service that breaks none."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import run_v2

from tests.rig.google.clients import template, to
from tests.rig.google.cloudrun.defaults import fill_service
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.limits import check_service
from tests.rig.google.cloudrun.limits_service import check_service_id
from tests.rig.google.cloudrun.masks import known

pytestmark = pytest.mark.unit


def refused(service: run_v2.Service) -> str:
    """The message of the refusal, "" when there is none."""
    fill_service(service, "demo")
    try:
        check_service(service, "web")
    except ApiError as error:
        return f"{error.code} {error.message}"
    return ""


def sized(cpu: str = "1", memory: str = "512Mi", **more: Any) -> run_v2.Service:
    resources = {"limits": {"cpu": cpu, "memory": memory, **more.pop("limits", {})}, "cpu_idle": more.pop("idle", True)}
    return run_v2.Service(template=template("shop", "web-1", container={"resources": resources}, **more))


def contained(**container: Any) -> run_v2.Service:
    return run_v2.Service(template=template("shop", "web-1", container=container))


def gpu(cpu: str = "4", memory: str = "16Gi", idle: bool = False, kind: str = "nvidia-l4") -> run_v2.Service:
    return sized(cpu, memory, limits={"nvidia.com/gpu": "1"}, idle=idle, node_selector={"accelerator": kind})


GOOD = [
    run_v2.Service(template=template("shop", "web-1"), traffic=[to("web-1", 100), to("web-0", 0, "old")]),
    run_v2.Service(template=template("us-central1-docker.pkg.dev/p/r/shop@sha256:" + "a" * 64)),
    run_v2.Service(template=template("eu.gcr.io/p/shop:v1")),
    run_v2.Service(template=run_v2.RevisionTemplate(containers=[run_v2.Container(image="nginx")])),
    sized("2", "8Gi"),
    sized("8", "32Gi"),
    sized("0.5", "512Mi", max_instance_request_concurrency=1),
    gpu(),
    contained(startup_probe={"http_get": {"path": "/healthz"}, "period_seconds": 10, "failure_threshold": 24}),
    contained(liveness_probe={"grpc": {}, "period_seconds": 3600, "timeout_seconds": 3600}),
    run_v2.Service(template=template("shop"), annotations={"shipper.dev/stamp": "e1"}, labels={"team": "a-b_c"}),
]


@pytest.mark.parametrize("service", GOOD, ids=range(len(GOOD)))
def test_what_is_within_the_limits_is_let_in(service: run_v2.Service) -> None:
    assert refused(service) == ""


BAD: list[tuple[str, run_v2.Service]] = [
    ("at least one container", run_v2.Service()),
    ("prefixed by the name of the service", run_v2.Service(template=template("shop", "shop-1"))),
    ("RFC 1035", run_v2.Service(template=template("shop", "web-A"))),
    ("RFC 1035", run_v2.Service(template=template("shop", "web-" + "a" * 60))),
    ("must sum to 100, got 90", run_v2.Service(template=template("shop"), traffic=[to("web-1", 90)])),
    ("used more than once", run_v2.Service(template=template("shop"), traffic=[to("a", 100, "t"), to("b", 0, "t")])),
    ("is not a DNS label", run_v2.Service(template=template("shop"), traffic=[to("web-1", 100, "V1")])),
    ("cannot exceed 46 characters", run_v2.Service(template=template("shop"), traffic=[to("web-1", 100, "t" * 44)])),
    ("between 0 and 100", run_v2.Service(template=template("shop"), traffic=[to("a", 150), to("b", -50)])),
    ("short name", run_v2.Service(template=template("shop"), traffic=[to("projects/p/revisions/a", 100)])),
    ("must be set", run_v2.Service(template=template("shop"), traffic=[run_v2.TrafficTarget(percent=100)])),
    ("where host is one of", run_v2.Service(template=template("quay.io/a/b"))),
    ("where host is one of", run_v2.Service(template=template("127.0.0.1:5000/a/b"))),
    ("where host is one of", run_v2.Service(template=template("shop:bad:tag"))),
    ("is not supported", sized(limits={"disk": "1"})),
    ("Total cpu must be 1, 2, 4, 6, 8", sized("3", "4Gi")),
    ("For 1.0 CPU, memory must be between 128Mi and 4Gi inclusive", sized("1", "8Gi")),
    ("For 4.0 CPU, memory must be between 2Gi and 16Gi inclusive", sized("4", "1Gi")),
    ("Invalid value specified for memory: '1 GB'", sized("1", "1 GB")),
    ("not supported with concurrency > 1", sized("0.5", max_instance_request_concurrency=80)),
    ("cpu throttling disabled", sized("0.5", idle=False, max_instance_request_concurrency=1)),
    ("between 0 and 1000", run_v2.Service(template=template("shop", max_instance_request_concurrency=1001))),
    ("between 1s and 3600s", run_v2.Service(template=template("shop", timeout={"seconds": 3601}))),
    ("is more than max_instance_count", run_v2.Service(template=template("shop", scaling={"min_instance_count": 200}))),
    (
        "scaling.min_instance_count",
        run_v2.Service(template=template("shop"), scaling={"min_instance_count": 3, "max_instance_count": 2}),
    ),
    ("must be at least 4 with a GPU", gpu(cpu="2", memory="8Gi")),
    ("must be false with a GPU", gpu(idle=True)),
    ("'nvidia-h900' is not supported", gpu(kind="nvidia-h900")),
    ("set together with a limit", sized(node_selector={"accelerator": "nvidia-l4"})),
    ("reserved env names were provided: PORT", contained(env=[{"name": "PORT", "value": "1"}])),
    ("given more than once", contained(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])),
    ("at most 32768 bytes", contained(env=[{"name": "A", "value": "x" * 32769}])),
    ("at most 1000 environment", contained(env=[{"name": f"A{n}", "value": "1"} for n in range(1001)])),
    ("secret and version", contained(env=[{"name": "A", "value_source": {"secret_key_ref": {"secret": "s"}}}])),
    ("only one port", contained(ports=[{"container_port": 80}, {"container_port": 81}])),
    ("between 1 and 65535", contained(ports=[{"container_port": 70000}])),
    ("http1 or h2c", contained(ports=[{"name": "tcp", "container_port": 80}])),
    ("exactly one of http_get", contained(startup_probe={"period_seconds": 10})),
    (
        "not be more than 240",
        contained(startup_probe={"tcp_socket": {}, "period_seconds": 10, "failure_threshold": 25}),
    ),
    ("between 0 and 240", contained(startup_probe={"tcp_socket": {}, "initial_delay_seconds": 241})),
    ("not more than period_seconds", contained(startup_probe={"tcp_socket": {}, "timeout_seconds": 11})),
    ("startup probes only", contained(liveness_probe={"tcp_socket": {}})),
    ("is not the name of a volume", contained(volume_mounts=[{"name": "v", "mount_path": "/v"}])),
    (
        "in the namespace of 'run.googleapis.com/x'",
        run_v2.Service(template=template("shop", annotations={"run.googleapis.com/x": "1"})),
    ),
    (
        "in the namespace of 'autoscaling.knative.dev/x'",
        run_v2.Service(template=template("shop"), labels={"autoscaling.knative.dev/x": "1"}),
    ),
    ("illegal characters", run_v2.Service(template=template("shop"), labels={"team": "A Team"})),
    ("illegal characters", run_v2.Service(template=template("shop"), labels={"team": "a" * 64})),
    ("at most 64 labels", run_v2.Service(template=template("shop"), labels={f"l{n}": "1" for n in range(65)})),
    ("262144 bytes", run_v2.Service(template=template("shop"), annotations={"a": "x" * 262144})),
    ("not a qualified name", run_v2.Service(template=template("shop"), annotations={"a b": "x"})),
    ("at most 512", run_v2.Service(template=template("shop"), description="x" * 513)),
    (
        "gen2 with a Cloud Storage",
        run_v2.Service(
            template=template("shop", volumes=[{"name": "m", "gcs": {"bucket": "models"}}], execution_environment=1)
        ),
    ),
    ("exactly one of secret", run_v2.Service(template=template("shop", volumes=[{"name": "m"}]))),
    (
        "without '..'",
        run_v2.Service(
            template=template(
                "shop", volumes=[{"name": "m", "secret": {"secret": "s", "items": [{"path": "../a", "version": "1"}]}}]
            )
        ),
    ),
]


@pytest.mark.parametrize(("words", "service"), BAD, ids=[f"{n}-{words[:30]}" for n, (words, _) in enumerate(BAD)])
def test_what_is_beyond_a_limit_is_refused_with_the_reason(words: str, service: run_v2.Service) -> None:
    message = refused(service)
    assert message.startswith("INVALID_ARGUMENT ")
    assert words in message


def test_all_violations_are_told_at_once() -> None:
    service = run_v2.Service(template=template("quay.io/a/b", "shop-1"), traffic=[to("a", 90)])
    fill_service(service, "demo")
    with pytest.raises(ApiError) as error:
        check_service(service, "web")
    fields = [violation["field"] for violation in error.value.details[0]["fieldViolations"]]
    assert fields == ["template.revision", "template.containers[0].image", "traffic"]


@pytest.mark.parametrize("name", ["Web", "1web", "web-", "w" * 50, "web_1", ""])
def test_names_of_services_are_labels_below_fifty_characters(name: str) -> None:
    with pytest.raises(ApiError, match="cannot be longer than 49"):
        check_service_id(name)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("traffic", True),
        ("template.containers", True),
        ("scaling.min_instance_count", True),
        ("scaling.minInstanceCount", False),
        ("annotations", True),
        ("annotations.key", False),
        ("template.containers.image", False),
        ("nothing", False),
    ],
)
def test_a_path_of_a_mask_is_known_when_the_descriptor_has_it(path: str, there: bool) -> None:
    assert known(path) is there
