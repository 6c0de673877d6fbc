"""Every problem of a configuration is found at once, before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.cloudrun.hosts import docker_image_name, repository_problem
from shipper_targets.cloudrun.limits import limit_problems, remarks_of
from tests.unit.cloudrun.rendering import DIGEST, own, settings_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("sections", "target", "key"),
    [
        ({"run": {"user": "1000"}}, {}, "run.user"),
        ({"run": {"stop_grace": "30s"}}, {}, "run.stop_grace"),
        ({"run": {"env": {"PORT": "1"}}}, {}, "run.env.PORT"),
        ({"run": {"env": {"K_SERVICE": "1"}}}, {}, "run.env.K_SERVICE"),
        ({"run": {"env": {"LONG": "x" * 32769}}}, {}, "run.env.LONG"),
        ({"run": {"volumes": [{"source": "/data", "target": "/data"}]}}, {}, "run.volumes"),
        ({"run": {"volumes": [{"source": "gs://a/b", "target": "/data"}]}}, {}, "run.volumes"),
        ({"run": {"cpu": 3}}, {}, "run.cpu"),
        ({"run": {"cpu": 0.075}}, {}, "run.cpu"),
        ({"run": {"cpu": 0.5}, "scale": {"concurrency": 2}}, {}, "scale.concurrency"),
        ({"run": {"cpu": 0.5}}, {"execution_environment": "gen2"}, "run.cpu"),
        ({"run": {"memory": "8GiB"}}, {}, "run.memory"),
        ({"run": {"cpu": 4, "memory": "1GiB"}}, {}, "run.memory"),
        ({"run": {"memory": "64MiB"}}, {}, "run.memory"),
        ({"run": {"memory": "256MiB"}}, {"execution_environment": "gen2"}, "run.memory"),
        ({"run": {"gpu": 2}}, {}, "run.gpu"),
        ({"run": {"gpu": 1, "cpu": 2}}, {}, "run.cpu"),
        ({"run": {"gpu": 1, "memory": "8GiB"}}, {}, "run.memory"),
        ({"run": {"gpu": 1}}, {"gpu_type": "abacus"}, "targets.gpu_type"),
        ({"run": {"gpu": 1}, "scale": {"cpu_idle": True}}, {}, "scale.cpu_idle"),
        ({"scale": {"min": 5, "max": 2}}, {}, "scale.min"),
        ({"scale": {"min": 101}}, {}, "scale.min"),
        ({"scale": {"concurrency": 1001}}, {}, "scale.concurrency"),
        ({"health": {"startup": "5m"}}, {}, "health.startup"),
        ({"health": {"timeout": "5m", "startup": "4m"}}, {}, "health.timeout"),
        ({"health": {"status": 503}}, {}, "health.status"),
        ({"image": {"platform": "linux/arm64"}}, {}, "image.platform"),
        ({"image": {"repository": "ghcr.io/team/shop"}}, {}, "image.repository"),
        ({}, {"timeout": "2h"}, "targets.timeout"),
        ({}, {"connector": "c", "network": "default"}, "targets.connector"),
        ({}, {"egress": "all-traffic"}, "targets.egress"),
        ({}, {"access": "internal", "ingress": "all"}, "targets.ingress"),
        ({}, {"service": "a" * 40}, "targets.service"),
        ({"run": {"gpu": 1, "cpu": 5}}, {}, "run.cpu"),
        ({"run": {"gpu": 1, "cpu": 21}}, {"gpu_type": "nvidia-rtx-pro-6000"}, "run.cpu"),
    ],
)
def test_one_thing_wrong_is_one_problem(sections: dict[str, Any], target: dict[str, Any], key: str) -> None:
    (problem,) = limit_problems(settings_of(**sections), own(**target))
    assert (problem.code, problem.key) == (2, key)
    assert problem.hint


def test_two_secrets_cannot_be_files() -> None:
    secrets = {"A": "secret-manager:a", "B": "secret-manager:b"}
    (problem,) = limit_problems(settings_of(run={"secrets": secrets}), own())
    assert problem.key == "run.secrets_as"
    assert limit_problems(settings_of(run={"secrets": secrets, "secrets_as": "environment"}), own()) == []


def test_all_of_them_at_once() -> None:
    run = {"user": "me", "cpu": 3, "volumes": [{"source": "/data", "target": "/data"}]}
    found = limit_problems(settings_of(run=run, health={"startup": "9m"}), own())
    assert [problem.key for problem in found] == ["run.user", "run.volumes", "run.cpu", "health.startup"]


def test_a_plain_configuration_has_none() -> None:
    settings = settings_of(
        image={"repository": "europe-west1-docker.pkg.dev/demo/images/shop"},
        run={"cpu": 2, "memory": "4GiB", "env": {"MODE": "fast"}},
        scale={"min": 0, "max": 10, "concurrency": 40},
    )
    assert limit_problems(settings, own()) == []


@pytest.mark.parametrize(
    "repository",
    [
        "gcr.io/demo/shop",
        "eu.gcr.io/demo/shop",
        "europe-docker.pkg.dev/demo/r/shop",
        "docker.io/team/shop",
        "team/shop",
    ],
)
def test_registries_that_cloud_run_takes(repository: str) -> None:
    assert repository_problem(repository) is None


@pytest.mark.parametrize("repository", ["ghcr.io/a/b", "localhost:5000/a", "quay.io/a/b", "docker.pkg.dev.evil.io/a/b"])
def test_registries_that_it_does_not_take(repository: str) -> None:
    problem = repository_problem(repository)
    assert problem is not None
    assert repository.split("/", maxsplit=1)[0] in problem.message
    assert "remote repository" in problem.hint


def test_an_images_name_in_artifact_registry() -> None:
    nested = docker_image_name(f"europe-west1-docker.pkg.dev/demo/images/team/shop@{DIGEST}")
    assert nested == f"projects/demo/locations/europe-west1/repositories/images/dockerImages/team%2Fshop@{DIGEST}"
    assert docker_image_name(f"gcr.io/demo/shop@{DIGEST}") is None
    assert docker_image_name("europe-west1-docker.pkg.dev/demo/images/shop:latest") is None


def test_what_does_not_hold_and_is_no_reason_to_refuse_is_said() -> None:
    (remark,) = remarks_of(settings_of(run={"read_only": True}))
    assert remark.startswith("run.read_only does not hold")
    assert remarks_of(settings_of()) == []
