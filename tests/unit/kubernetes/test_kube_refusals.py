"""What the cluster does not take is told with the setting that it comes from and a step that one can do."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import Invalid, PlatformError
from shipper_targets.knative import limits
from shipper_targets.kubernetes.applying import Theirs
from shipper_targets.kubernetes.kube_errors import Refused
from shipper_targets.kubernetes.refusals import admission_hint, paths_in, what_to_do
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.unit.kubernetes.kube_rendering import own

pytestmark = pytest.mark.unit

POD = "spec.template.spec"
KNATIVES = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed:'
INVALID = 'apply Deployment shop: Deployment.apps "shop" is invalid: '


def said(error: PlatformError, kind: str, settings: KubernetesSettings) -> tuple[str, str]:
    return what_to_do(error, kind, f"{kind}/shop", settings)


@pytest.mark.parametrize(
    ("kind", "words", "key"),
    [
        ("Deployment", f'{POD}.tolerations[0].effect: Invalid value: "NoExecute"', "targets.tolerations"),
        ("Deployment", f"{POD}.containers[0].resources.requests: must be less than or equal to cpu limit", "run.cpu"),
        ("Deployment", f"{POD}.containers[0].resources.limits[nvidia.com/gpu]: must be an integer", "run.gpu"),
        ("Deployment", "spec.strategy.rollingUpdate.maxSurge: Invalid value", "targets.max_surge"),
        ("Deployment", f"{POD}.somethingNew: x, {POD}.priorityClassName: y", "targets.priority_class"),
        ("Deployment", "spec.template.metadata.labels: Invalid value", "targets.labels"),
        ("Pod", "spec.containers[0].ports[0].containerPort: must be between 1 and 65535", "run.port"),
        ("Service", "spec.ports[0].port: Invalid value", "targets.service_port"),
        ("Ingress", 'spec.rules[0].host: Invalid value: "Shop"', "targets.ingress.host"),
        ("HTTPRoute", "spec.hostnames[0]: Invalid value", "targets.gateway.hosts"),
        ("HorizontalPodAutoscaler", "spec.metrics[0].resource: Invalid value", "targets.autoscale"),
    ],
)
def test_a_field_leads_to_the_setting_that_it_comes_from(kind: str, words: str, key: str) -> None:
    found, hint = said(Refused(INVALID + words), kind, own())
    assert found == key
    assert f" of {kind}/shop" in hint


def test_what_comes_from_no_setting_says_where_to_look_at_it() -> None:
    key, hint = said(Invalid("apply Deployment shop: no reason"), "Deployment", own())
    assert (key, "shipper render" in hint, "Deployment/shop" in hint) == ("targets", True, True)


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"manifests": ["k8s"]}, "targets.manifests"), ({"manifests_command": ["make"]}, "targets.manifests_command")],
)
def test_of_own_manifests_it_is_the_manifest_that_has_to_change(settings: dict[str, Any], key: str) -> None:
    found, hint = said(Refused(f"{INVALID}{POD}.tolerations[0]: x"), "Deployment", own(**settings))
    assert found == key
    assert f"correct {POD}.tolerations[0] of Deployment/shop in your manifests" in hint


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ('pods "shop" is forbidden: exceeded quota: small, requested: cpu=4', "kubectl describe quota"),
        ('pods "shop" is forbidden: violates PodSecurity "restricted:latest": x', "tighten [targets.<name>] security"),
        ("maximum cpu usage per Container is 1, but limit is 2", "LimitRange"),
        ('admission webhook "policy.example.com" denied the request: add a team label', "policy.example.com"),
        ("ValidatingAdmissionPolicy 'no-latest' with binding 'b' denied request: no", "no-latest"),
        ('error looking up service account shops/web: serviceaccount "web" not found', "create that ServiceAccount"),
        ("no", "who runs the cluster"),
    ],
)
def test_a_rule_of_the_cluster_says_what_helps_against_it(words: str, hint: str) -> None:
    assert hint in admission_hint(words)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("no PriorityClass with name high was found", "targets.priority_class"),
        ("exceeded quota: x", "targets.namespace"),
    ],
)
def test_a_rule_is_about_a_setting_too(words: str, key: str) -> None:
    assert said(Refused(words), "Pod", own())[0] == key
    assert said(Refused(words), "Pod", own(manifests=["k8s"]))[0] == "targets.manifests"


def test_a_rule_is_told_as_one_although_its_words_name_a_field() -> None:
    words = 'admission webhook "policy.example.com" denied the request: spec.template.spec.tolerations is not for you'
    assert "policy.example.com" in said(Refused(words), "Deployment", own())[1]


def test_an_error_that_knows_what_to_do_is_believed() -> None:
    class Knowing(PlatformError):
        hint = "do that"

    assert said(Knowing("spec.replicas"), "Deployment", own()) == ("targets", "do that")
    assert "force_conflicts = true" in said(Theirs("spec.replicas is owned by hpa"), "Deployment", own())[1]


def test_fields_are_found_in_the_words() -> None:
    assert paths_in('x: spec.template.spec.containers[0].image: Required, my.spec.no and "metadata.name".') == [
        "spec.template.spec.containers[0].image",
        "metadata.name",
    ]


@pytest.mark.parametrize(
    ("words", "key", "hint"),
    [
        (
            f"{KNATIVES} expected 0 <= 9000 <= 600: spec.template.spec.timeoutSeconds",
            "targets.timeout",
            "config-defaults",
        ),
        ("validation failed: x: spec.template.spec.nodeSelector", "targets.node_selector", "change this setting"),
        ('admission webhook "policy.example.com" denied the request: no', "targets", "policy.example.com"),
    ],
)
def test_knatives_refusal_leads_to_the_setting_too(words: str, key: str, hint: str) -> None:
    found, step = limits.what_to_do(words)
    assert found == key
    assert hint in step
