"""A configuration that Knative would refuse is refused first, with its key, what was expected and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.durations import go_duration, seconds_in
from shipper_targets.knative.kinds import OF_SERVICE, VISIBILITY
from shipper_targets.knative.limits import key_of, limit_problems, remarks_of
from shipper_targets.knative.rules import violations
from shipper_targets.knative.scaling import scale_line
from shipper_targets.kubernetes.labels import NAME, RECORD, WORKLOAD
from tests.integration.knative.knative_cases import REFUSED, TAKEN, Change, changed, valid
from tests.unit.knative.knative_objects import own, release_of, settings_of

pytestmark = pytest.mark.unit

ASKED: dict[str, Any] = {
    "smoke": {"requests": [{"name": "a", "path": "/x", "headers": {"Authorization": "Bearer t"}, "verify": True}]}
}
DEADLINE = "serving.knative.dev/progressDeadline"
CPU = "queue.sidecar.serving.knative.dev/cpu-resource-request"
FLAG = "allow-zero-initial-scale"


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
        ({}, {"autoscale": {"by": "hpa", "metric": "rps"}}, "targets.autoscale.metric", "does not know rps"),
        ({}, {"autoscale": {"by": "hpa", "metric": "concurrency"}}, "targets.autoscale.metric", "HPA does not know"),
        ({}, {"annotations": {"networking.knative.dev/x": "y"}}, "targets.annotations", "no such annotation"),
        ({}, {"annotations": {DEADLINE: "9" * 400 + "s"}}, "targets.annotations", "is no duration"),
        ({}, {"annotations": {CPU: "lots"}}, "targets.annotations", "is no amount"),
        ({}, {"annotations": {RECORD: "x"}}, f"targets.annotations.{RECORD}", "set by shipper"),
        ({}, {"labels": {VISIBILITY: "cluster-local"}}, f"targets.labels.{VISIBILITY}", "set by shipper"),
        ({}, {"labels": {OF_SERVICE: "x"}}, f"targets.labels.{OF_SERVICE}", "set by Knative"),
        ({}, {"labels": {WORKLOAD: "x"}}, f"targets.labels.{WORKLOAD}", "set by shipper"),
        ({}, {"labels": {NAME: "x"}}, f"targets.labels.{NAME}", "set by shipper"),
        (ASKED, {"visibility": "cluster-local"}, "smoke.requests.a", "no Authorization"),
        (ASKED, {"reach": "internal", "address": "http://10.0.0.1"}, "smoke.requests.a", "no Authorization"),
    ],
)
def test_what_is_refused_names_its_key(sections: dict[str, Any], target: dict[str, Any], key: str, words: str) -> None:
    release = release_of(settings_of(**sections))
    problems = limit_problems(release, own(**target), "shop", Cluster())
    assert [one.key for one in problems] == [key]
    assert words in problems[0].message
    assert problems[0].hint
    assert problems[0].code == 2


def test_another_label_for_visibility_is_the_setting() -> None:
    (one,) = limit_problems(release_of(), own(labels={VISIBILITY: "cluster-local"}), "shop", Cluster())
    assert 'visibility = "cluster-local"' in one.hint


@pytest.mark.parametrize(
    ("target", "told"),
    [({}, True), ({"address": "http://10.0.0.1"}, False), ({"visibility": "cluster-local"}, False)],
    ids=["pods, perhaps", "the ingress", "pods: refused"],
)
def test_authorization_that_may_not_arrive_is_said(target: dict[str, Any], told: bool) -> None:
    remarks = [one for one in remarks_of(settings_of(**ASKED), own(**target)) if "Authorization" in one]
    assert [one.startswith("smoke.requests.a: ") for one in remarks] == [True] * told


def test_what_is_not_asked_of_what_serves_may_have_any_header() -> None:
    settings = settings_of(smoke={"requests": [{**ASKED["smoke"]["requests"][0], "verify": False}]})
    assert limit_problems(release_of(settings), own(visibility="cluster-local"), "shop", Cluster()) == []
    assert not [one for one in remarks_of(settings, own()) if "Authorization" in one]


@pytest.mark.parametrize(
    ("data", "zero"),
    [({}, False), *(({FLAG: text}, True) for text in ("1", "t", "T", "TRUE", "true", "True")), ({FLAG: "tRUE"}, False)],
)
def test_a_clusters_truths_are_gos(data: dict[str, str], zero: bool) -> None:
    assert Cluster(autoscaler=data).starts_at_zero is zero


@pytest.mark.parametrize(("value", "least"), [(None, 0), ("true", 0), ("F", 1), ("false", 1), ("no", 0)])
def test_a_cluster_may_want_a_limit_of_concurrency(value: str | None, least: int) -> None:
    data = {"allow-container-concurrency-zero": value} if value is not None else {}
    cluster = Cluster(defaults=data)
    manifest = _made(TAKEN["unlimited concurrency"])
    assert [one.path[-1] for one in violations(manifest, cluster)] == ["containerConcurrency"] * least


@pytest.mark.parametrize(
    ("scale", "by", "line"),
    [
        ({"max": 10}, "hpa", "1 to 10 instances, any"),
        ({"min": 2, "max": 10}, "hpa", "2 to 10 instances, any"),
        ({"max": 10}, "kpa", "0 to 10 instances, scales to zero"),
    ],
)
def test_the_least_of_instances_is_the_autoscalers(scale: dict[str, int], by: str, line: str) -> None:
    assert scale_line(settings_of(scale=scale), own(autoscale={"by": by})).startswith(line)


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
    (told,) = remarks_of(settings_of(run={"read_only": True}, health={"json": {"ok": True}}), own())
    assert "status only" in told
    assert remarks_of(settings_of(run={"read_only": True}), own()) == []


def test_what_holds_in_another_way_than_in_the_smoke_test_is_said() -> None:
    assert ["read-only here" in one for one in remarks_of(settings_of(), own())] == [True]
    assert remarks_of(settings_of(), own(security={"writable_root": True})) == []
    settings = settings_of(run={"cpu": 1, "read_only": True})
    assert ["run.cpu is a request" in one for one in remarks_of(settings, own())] == [True]
    assert remarks_of(settings, own(cpu_limit=True)) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6s", 6.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("500ms", 0.5), ("-1s", -1.0), ("0", 0.0)],
)
def test_gos_durations(text: str, seconds: float) -> None:
    assert seconds_in(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "1 s", "s", "1d", "1s ", "one", "9" * 400 + "s", "2562048h"])
def test_what_is_no_duration(text: str) -> None:
    assert seconds_in(text) is None


def test_seconds_are_rounded_up() -> None:
    assert go_duration(89.2) == "90s"


def _made(changes: tuple[Change, ...]) -> dict[str, Any]:
    return changed(valid("shops"), changes)
