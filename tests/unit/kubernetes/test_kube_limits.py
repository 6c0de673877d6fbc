"""What Kubernetes cannot do is said before the build: all of it, with the key and a way out."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.kubernetes.limits import limit_problems, remarks_of
from tests.unit.kubernetes.kube_rendering import own, settings_of

pytestmark = pytest.mark.unit


def keys(target: dict[str, Any] | None = None, **sections: Any) -> list[str]:
    return [one.key for one in limit_problems(settings_of(**sections), own(**(target or {})))]


def test_a_plain_service_has_no_problem() -> None:
    assert keys() == []


@pytest.mark.parametrize(
    ("key", "target", "sections"),
    [
        ("rollout.strategy", {}, {"rollout": {"strategy": "canary"}}),
        ("rollout.strategy", {"manifests": ["k8s"]}, {"rollout": {"strategy": "blue-green"}}),
        ("run.secrets", {"manifests": ["k8s"]}, {"run": {"secrets": {"A": "kubernetes:a/b"}}}),
        ("run.secrets.A", {}, {"run": {"secrets": {"A": "env:A"}}}),
        ("run.secrets.A", {}, {"run": {"secrets": {"A": "secret-manager:a"}}}),
        (
            "run.secrets.A",
            {},
            {"run": {"secrets": {"A": "kubernetes:a/b"}, "env": {"A": "x"}, "secrets_as": "environment"}},
        ),
        ("run.user", {}, {"run": {"user": "app"}}),
        ("run.user", {}, {"run": {"user": "0:0"}}),
        ("targets.security.user", {"security": {"user": 0}}, {}),
        ("targets.security.writable_root", {"security": {"writable_root": True}}, {"run": {"read_only": True}}),
        ("run.volumes", {}, {"run": {"volumes": [{"source": "./models", "target": "/models"}]}}),
        ("run.volumes", {}, {"run": {"volumes": [{"source": "gs://bucket/m", "target": "/models"}]}}),
        ("run.volumes", {}, {"run": {"volumes": [{"source": "pvc:", "target": "/models"}]}}),
        ("run.volumes", {}, {"run": {"volumes": [{"source": "pvc:m/../..", "target": "/models"}]}}),
        ("run.volumes", {}, {"run": {"volumes": [{"source": "configmap:m/a", "target": "/models"}]}}),
        ("run.volumes", {}, {"run": {"volumes": [{"source": "pvc:m", "target": "/"}]}}),
        ("run.volumes", {"scratch": ["/m/"]}, {"run": {"volumes": [{"source": "pvc:m", "target": "/m"}]}}),
        ("targets.scratch", {"scratch": ["/tmp"]}, {}),
        ("run.memory", {}, {"run": {"memory": 1000}}),
        ("health.status", {}, {"health": {"status": 404}}),
        ("scale.min", {}, {"scale": {"min": 0}}),
        ("scale.min", {}, {"scale": {"min": 3, "max": 2}}),
        ("scale.cpu_idle", {}, {"scale": {"cpu_idle": True}}),
        ("run.cpu", {}, {"scale": {"max": 4}}),
        ("run.memory", {"autoscale": {"cpu": None, "memory": 80}}, {"scale": {"max": 4}}),
        ("targets.autoscale", {"autoscale": {"cpu": None}}, {"scale": {"max": 4}}),
        ("targets.max_surge", {"max_surge": "0%", "max_unavailable": 0}, {}),
        ("targets.min_ready", {"min_ready": "10m"}, {"rollout": {"timeout": "5m"}}),
        ("targets.labels.shipper.dev/x", {"labels": {"shipper.dev/x": "y"}}, {}),
        ("targets.address", {"address": "http://127.0.0.1:8080"}, {}),
        ("targets.ingress.path", {"ingress": {"host": "a.example.com", "path": "/a//b"}}, {}),
        ("targets.gateway.path", {"gateway": {"name": "g", "hosts": ["a.example.com"], "path": "/a/../b"}}, {}),
    ],
)
def test_what_cannot_be_is_named_by_its_key(key: str, target: dict[str, Any], sections: dict[str, Any]) -> None:
    found = limit_problems(settings_of(**sections), own(**target))
    assert [one.key for one in found] == [key]
    assert found[0].code == 2
    assert found[0].hint


def test_several_problems_are_told_together() -> None:
    assert keys(run={"user": "app"}, scale={"min": 0}, health={"status": 500}) == [
        "run.user",
        "health.status",
        "scale.min",
    ]


def test_own_manifests_are_not_judged_by_what_only_generated_ones_use() -> None:
    assert keys({"manifests": ["k8s"]}, run={"user": "app"}, scale={"min": 0}, health={"status": 500}) == []


def test_an_autoscale_that_nothing_uses_is_remarked() -> None:
    asked = own(autoscale={"cpu": 50})
    assert any("autoscale does nothing" in one for one in remarks_of(settings_of(), asked))
    told = remarks_of(settings_of(scale={"min": 1, "max": 3}), asked)
    assert not any("autoscale does nothing" in one for one in told)


@pytest.mark.parametrize(
    ("words", "sections"),
    [
        ("read-only", {}),
        ("run.cpu is a request", {"run": {"cpu": 1}}),
        ("scale.concurrency", {"scale": {"concurrency": 10}}),
        ("rollout.gate.latency never hold here", {"rollout": {"strategy": "canary", "gate": {"latency": 1}}}),
    ],
)
def test_what_holds_in_another_way_is_remarked(words: str, sections: dict[str, Any]) -> None:
    assert any(words in remark for remark in remarks_of(settings_of(**sections), own()))
    assert remarks_of(settings_of(**sections), own(manifests=["k8s"])) == []
