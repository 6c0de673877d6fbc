"""A release becomes a request: one that the client library takes, whole, by name, and the same each time."""

from __future__ import annotations

import re

import pytest
from google.cloud import run_v2
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from shipper.model import Release, Settings
from shipper_targets.cloudrun import render
from shipper_targets.cloudrun.limits import limit_problems
from shipper_targets.cloudrun.marks import own_release
from shipper_targets.cloudrun.masks import is_field, mask_of
from shipper_targets.cloudrun.names import names_of, tag_of
from shipper_targets.cloudrun.settings import CloudRunSettings
from shipper_targets.cloudrun.traffic import targets
from tests.rig.google.cloudrun.defaults import fill_service
from tests.rig.google.cloudrun.limits import check_service
from tests.rig.google.cloudrun.limits_service import check_service_id
from tests.unit.cloudrun.rendering import DIGEST, REPOSITORY, configurations, own, release_of, settings_of

pytestmark = pytest.mark.unit

MANY = hypothesis_settings(max_examples=300)
FIXED = own()


def rendered(release: Release, target: CloudRunSettings = FIXED) -> run_v2.Service:
    """As `create` would send it where nothing is."""
    name = names_of(release.settings, target).service_id
    service = render.service_of(release, target, name)
    service.traffic = targets({service.template.revision: 100}, {tag_of(release.number): service.template.revision})
    return service


@MANY
@given(configurations)
def test_what_our_own_checks_let_through_the_service_takes(
    configuration: tuple[Settings, CloudRunSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    if settings.run.secrets_as == "files":
        secrets = dict(list(secrets.items())[:1])
    secrets = {name: version for name, version in secrets.items() if name not in settings.run.env}
    release = release_of(settings, secrets=secrets)
    service = rendered(release, target)
    sent = run_v2.Service.serialize(service)
    assert run_v2.Service.deserialize(sent) == service
    check_service_id(names_of(settings, target).service_id)
    if not limit_problems(settings, target):
        fill_service(service, "demo")
        check_service(service, names_of(settings, target).service_id)


@MANY
@given(configurations)
def test_the_same_release_is_the_same_request(
    configuration: tuple[Settings, CloudRunSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    release = release_of(settings, secrets=secrets)
    again = Release.from_record(release.to_record())
    assert rendered(release, target) == rendered(again, target)


@MANY
@given(configurations)
def test_names_are_legal_and_the_record_is_whole(
    configuration: tuple[Settings, CloudRunSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    release = release_of(settings, secrets=secrets, number=999_999)
    template = rendered(release, target).template
    service = names_of(settings, target).service_id
    if not limit_problems(settings, target):
        assert re.fullmatch(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", template.revision)
    assert template.revision.startswith(f"{service}-999999-")
    assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", value) for value in template.labels.values())
    assert own_release(service, template.revision, dict(template.annotations)) == release


def test_every_path_of_every_mask_is_a_field() -> None:
    for paths in (
        render.create_fields(own()),
        render.create_fields(own(readiness_probe=True)),
        render.TRAFFIC_FIELDS,
        render.STAMP_FIELDS,
    ):
        assert list(mask_of(paths).paths) == list(paths)


@pytest.mark.parametrize("path", ["scaling.minInstanceCount", "trafic", "template.containers.image", "labels.x", ""])
def test_a_path_that_the_service_does_not_have_is_a_bug(path: str) -> None:
    assert not is_field(path)
    with pytest.raises(ValueError, match="not fields"):
        mask_of(["traffic", path])


def test_an_empty_mask_would_overwrite_everything() -> None:
    with pytest.raises(ValueError, match="nothing at all"):
        mask_of([])


def test_the_image_goes_by_digest_and_the_revision_by_a_name_of_its_own() -> None:
    service = rendered(release_of(number=41))
    assert service.template.containers[0].image == f"{REPOSITORY}@{DIGEST}"
    assert service.template.revision == "shop-dev-41-wmrerd"
    assert [(each.revision, each.percent, each.tag) for each in service.traffic] == [("shop-dev-41-wmrerd", 100, "n41")]


def test_labels_say_what_it_is() -> None:
    labels = dict(rendered(release_of(), own(labels={"team": "web"})).template.labels)
    assert labels == {
        "team": "web",
        "shipper-service": "shop",
        "shipper-environment": "dev",
        "shipper-number": "7",
        "shipper-digest": "abababababab",
    }


def test_port_command_and_environment() -> None:
    run = {"port": 9000, "command": ["serve", "--now"], "env": {"B": "2", "A": ""}}
    container = rendered(release_of(settings_of(run=run))).template.containers[0]
    assert container.ports[0].container_port == 9000
    assert list(container.args) == ["serve", "--now"]
    assert not container.command
    assert [(each.name, each.value) for each in container.env] == [("A", ""), ("B", "2")]


def test_secrets_are_references_with_pinned_versions() -> None:
    settings = settings_of(run={"secrets": {"TOKEN": "secret-manager:token"}, "secrets_as": "environment"})
    pinned = {"TOKEN": "projects/other/secrets/token/versions/7"}
    (variable,) = rendered(release_of(settings, secrets=pinned)).template.containers[0].env
    assert variable.name == "TOKEN"
    assert variable.value_source.secret_key_ref.secret == "projects/other/secrets/token"
    assert variable.value_source.secret_key_ref.version == "7"


def test_one_secret_can_be_a_file() -> None:
    settings = settings_of(run={"secrets": {"TOKEN": "secret-manager:token"}})
    template = rendered(release_of(settings, secrets={"TOKEN": "projects/demo/secrets/token/versions/3"})).template
    (item,) = template.volumes[0].secret.items
    assert (item.path, item.version) == ("TOKEN", "3")
    assert template.containers[0].volume_mounts[0].mount_path == "/run/secrets"
    assert not template.containers[0].env


def test_a_bucket_is_mounted_read_only_in_the_second_generation() -> None:
    settings = settings_of(run={"volumes": [{"source": "gs://models/iris/v3/", "target": "/models"}]})
    template = rendered(release_of(settings)).template
    gcs = template.volumes[0].gcs
    assert (gcs.bucket, gcs.read_only, list(gcs.mount_options)) == ("models", True, ["only-dir=iris/v3"])
    assert template.containers[0].volume_mounts[0].mount_path == "/models"
    assert template.execution_environment == run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2


def test_a_gpu_comes_with_its_machine() -> None:
    template = rendered(release_of(settings_of(run={"gpu": 1}))).template
    assert dict(template.containers[0].resources.limits) == {"cpu": "4", "memory": "16384Mi", "nvidia.com/gpu": "1"}
    assert template.containers[0].resources.cpu_idle is False
    assert template.node_selector.accelerator == "nvidia-l4"
    assert template.gpu_zonal_redundancy_disabled is True


def test_the_minimum_is_the_services_unless_asked_otherwise() -> None:
    settings = settings_of(scale={"min": 2, "max": 9})
    shared, each = rendered(release_of(settings)), rendered(release_of(settings), own(min_per="revision"))
    assert (shared.scaling.min_instance_count, shared.template.scaling.min_instance_count) == (2, 0)
    assert (each.scaling.min_instance_count, each.template.scaling.min_instance_count) == (0, 2)
    assert shared.template.scaling.max_instance_count == each.template.scaling.max_instance_count == 9


def test_readiness_comes_from_health_alone() -> None:
    health = {"path": "/ready", "startup": 90, "timeout": 3, "liveness": "/live"}
    container = rendered(release_of(settings_of(health=health))).template.containers[0]
    startup, liveness = container.startup_probe, container.liveness_probe
    assert (startup.http_get.path, startup.period_seconds, startup.timeout_seconds) == ("/ready", 3, 3)
    assert startup.period_seconds * startup.failure_threshold == 90
    assert liveness.http_get.path == "/live"
    assert not container.readiness_probe


def test_a_readiness_probe_is_a_preview_that_is_asked_for() -> None:
    service = rendered(release_of(), own(readiness_probe=True))
    assert service.template.containers[0].readiness_probe.http_get.path == "/healthz"
    assert service.launch_stage == 3  # google.api.LaunchStage.BETA


@pytest.mark.parametrize(
    ("access", "ingress", "invoker_disabled"),
    [("public", 1, True), ("authenticated", 1, False), ("internal", 2, False)],
)
def test_who_may_ask(access: str, ingress: int, invoker_disabled: bool) -> None:
    service = rendered(release_of(), own(access=access))
    assert (int(service.ingress), service.invoker_iam_disabled) == (ingress, invoker_disabled)
