"""A configuration that Knative would refuse is refused first, with its key, what was expected and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.durations import go_duration, seconds_in
from shipper_targets.knative.limits import key_of, limit_problems, remarks_of
from shipper_targets.knative.rules import violations
from tests.integration.knative.knative_cases import REFUSED, TAKEN, Change, changed, valid
from tests.unit.knative.knative_objects import own, release_of, settings_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("sections", "target", "key", "words"),
    [
        ({"run": {"port": 8012}}, {}, "run.port", "8012 is a port of Knative's own"),
        ({"run": {"env": {"PORT": "1"}}}, {}, "run.env", "PORT is set by Knative"),
        ({"run": {"env": {"K_SERVICE": "x"}}}, {}, "run.env", "K_SERVICE is set by Knative"),
        ({"run": {"user": "app"}}, {}, "run.user", '"app" is a name'),
        ({"run": {"volumes": [{"source": "/srv", "target": "/m"}]}}, {}, "run.volumes", "no host"),
        ({"run": {"volumes": [{"source": "pvc:m", "target": "/m"}]}}, {}, "run.volumes", "persistent-volume-claim"),
        ({"run": {"volumes": [{"source": "configmap:m", "target": "/dev"}]}}, {}, "run.volumes", "/dev cannot be"),
        ({"scale": {"min": 3, "max": 2}}, {}, "scale.min", "3 is more than max = 2"),
        ({"scale": {"concurrency": 2000}}, {}, "scale.concurrency", "not between 0 and 1000"),
        ({"scale": {"cpu_idle": True}}, {}, "scale.cpu_idle", "CPU always"),
        ({"health": {"status": 503}}, {}, "health.status", "200 to 399"),
        ({}, {"timeout": "1h"}, "targets.timeout", "not between 0 and 600"),
        ({}, {"node_selector": {"pool": "gpu"}}, "targets.node_selector", "podspec-nodeselector"),
        ({}, {"runtime_class": "nvidia"}, "targets.runtime_class", "podspec-runtimeclassname"),
        ({}, {"security": {"group": 1000}}, "targets.security.group", "podspec-securitycontext"),
        ({}, {"security": {"capabilities": ["NET_RAW"]}}, "targets.security.capabilities", "addcapabilities"),
        ({}, {"autoscale": {"window": "5s"}}, "targets.autoscale.window", "not between 6 s and an hour"),
        ({}, {"autoscale": {"metric": "cpu"}}, "targets.autoscale.metric", "concurrency and rps"),
        ({}, {"autoscale": {"initial": 0}}, "targets.autoscale.initial", "not allowed by this cluster"),
        ({"scale": {"max": 2}}, {"autoscale": {"activation": 3}}, "targets.autoscale.activation", "max-scale"),
        ({"scale": {"min": 0}}, {"autoscale": {"by": "hpa"}}, "scale.min", "does not scale to zero"),
        ({}, {"annotations": {"networking.knative.dev/x": "y"}}, "targets.annotations", "no such annotation"),
    ],
)
def test_what_is_refused_names_its_key(sections: dict[str, Any], target: dict[str, Any], key: str, words: str) -> None:
    release = release_of(settings_of(**sections))
    problems = limit_problems(release, own(**target), "shop", Cluster())
    assert [one.key for one in problems] == [key]
    assert words in problems[0].message
    assert problems[0].hint
    assert problems[0].code == 2


def test_a_cluster_that_allows_more_is_believed() -> None:
    features = {
        "kubernetes.podspec-nodeselector": "Enabled",
        "kubernetes.podspec-persistent-volume-claim": "enabled",
        "kubernetes.podspec-securitycontext": "allowed",
    }
    cluster = Cluster(features, {"max-revision-timeout-seconds": "7200"}, {"allow-zero-initial-scale": "true"})
    settings = settings_of(run={"volumes": [{"source": "pvc:m", "target": "/m"}]})
    target = own(timeout="1h", node_selector={"pool": "gpu"}, security={"group": 1000}, autoscale={"initial": 0})
    assert limit_problems(release_of(settings), target, "shop", cluster) == []


def test_a_cluster_that_allows_less_is_believed() -> None:
    cluster = Cluster({}, {"container-concurrency-max-limit": "10"}, {"max-scale-limit": "3"})
    settings = settings_of(scale={"max": 4, "concurrency": 11})
    found = {one.key for one in limit_problems(release_of(settings), own(), "shop", cluster)}
    assert found == {"scale.max", "scale.concurrency"}


def test_what_depends_on_a_cluster_that_cannot_be_read_is_the_webhooks_to_say() -> None:
    target = own(node_selector={"pool": "gpu"}, autoscale={"window": "5s"})
    found = limit_problems(release_of(), target, "shop", Cluster(known=False))
    assert [one.key for one in found] == ["targets.autoscale.window"]


@pytest.mark.parametrize("name", REFUSED)
def test_our_rules_refuse(name: str) -> None:
    assert violations(_made(REFUSED[name]), Cluster())


@pytest.mark.parametrize("name", TAKEN)
def test_our_rules_take(name: str) -> None:
    assert violations(_made(TAKEN[name]), Cluster()) == []


def test_a_path_without_a_setting_of_its_own_is_the_targets() -> None:
    assert key_of(("spec", "traffic", 0, "tag")) == "targets"


def test_what_does_not_hold_is_said() -> None:
    assert remarks_of(settings_of(run={"stop_grace": "60s"}), own())
    (told,) = remarks_of(settings_of(health={"json": {"ok": True}}), own())
    assert "status only" in told
    assert remarks_of(settings_of(), own()) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6s", 6.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("500ms", 0.5), ("-1s", -1.0), ("0", 0.0)],
)
def test_gos_durations(text: str, seconds: float) -> None:
    assert seconds_in(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "1 s", "s", "1d", "1s ", "one"])
def test_what_is_no_duration(text: str) -> None:
    assert seconds_in(text) is None


def test_seconds_are_rounded_up() -> None:
    assert go_duration(89.2) == "90s"


def _made(changes: tuple[Change, ...]) -> dict[str, Any]:
    return changed(valid("shops"), changes)
