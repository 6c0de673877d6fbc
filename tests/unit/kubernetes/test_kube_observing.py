"""What was found on the platform, as an observation: pure, from objects as the API server sends them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shipper.model import Stamp
from shipper.targets import Invalid
from shipper_targets.kubernetes.drift import differences, drift_of
from shipper_targets.kubernetes.labels import NOTHING
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.observing import observation_of, weights_of
from shipper_targets.kubernetes.rollouts import is_complete, percents, release_shares, state_of, under_way
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.stamps import read_stamp, seen_of, stamp_text, stamped_at
from tests.unit.kubernetes.kube_found import deployment, found, marks, record, replica_set, revision, service

pytestmark = pytest.mark.unit

OWN = KubernetesSettings.model_validate({"context": "c", "namespace": "shop"})


def test_a_complete_rollout_has_all_of_the_traffic_whatever_its_pods_do_now() -> None:
    now = observation_of(found(deployments=[deployment(4, available=0)], service=service("shop")), OWN)
    assert [(one.name, one.number, one.weight, one.state) for one in now.serving] == [(revision(4), 4, 100, "failed")]
    assert now.in_flight is None


def test_while_a_rollout_is_under_way_traffic_is_shared_by_pods_that_can_answer() -> None:
    there = deployment(5, updated=1, total=4, available=4, reason="ReplicaSetUpdated")
    now = observation_of(
        found(deployments=[there], sets=[replica_set(4, 3), replica_set(5, 1)], service=service("shop")), OWN
    )
    assert {one.name: one.weight for one in now.serving} == {revision(4): 75, revision(5): 25}
    assert now.in_flight == "rollout of shop to generation 2"


def test_a_rollback_to_an_old_replica_set_is_not_over_because_its_condition_is_an_old_one() -> None:
    there = deployment(3, updated=0, total=3)
    assert not is_complete(there)
    assert under_way(there) is not None


def test_a_stamp_alone_is_no_rollout_although_it_makes_a_new_generation() -> None:
    stamped = deployment(4, generation=9, observed=8)
    assert not is_complete(stamped)
    assert is_complete(stamped, [replica_set(4, 3)])
    another = deployment(5, generation=9, observed=8, annotations={"deployment.kubernetes.io/revision": "4"})
    assert not is_complete(another, [replica_set(4, 3)])
    again = deployment(4, generation=9, observed=8, annotations={"deployment.kubernetes.io/revision": "5"})
    assert not is_complete(again, [replica_set(4, 3), replica_set(5, 3)])


@pytest.mark.parametrize("others", [3, 0], ids=["beside it", "or by then none"])
def test_a_replica_set_that_is_used_again_is_current_before_its_pods_are_counted(others: int) -> None:
    """Its controller writes the number of the rollout first: every other figure is still that of what failed."""
    back = deployment(4, generation=9, observed=8, annotations={"deployment.kubernetes.io/revision": "6"})
    sets = [replica_set(4, 0, last=6), replica_set(5, others)]
    assert not is_complete(back, sets)
    assert release_shares(back, sets) == ({marks(5)["shipper.dev/release"]: 3} if others else {})
    assert is_complete(back, [replica_set(4, 3, last=6), replica_set(5, 0)])


def test_without_a_deadline_nobody_says_that_a_rollout_is_over_but_its_pods() -> None:
    there = deployment(4)
    there["status"]["conditions"] = []
    assert is_complete(there)
    there["status"]["availableReplicas"] = 2
    assert not is_complete(there)


@pytest.mark.parametrize(
    ("there", "state"),
    [
        (deployment(1), "running"),
        (deployment(1, replicas=0, updated=0, total=0, available=0), "stopped"),
        (deployment(1, updated=1, available=0, reason="ReplicaSetUpdated"), "starting"),
        (deployment(1, updated=1, available=0, reason="ProgressDeadlineExceeded"), "failed"),
        (deployment(1, observed=1), "starting"),
    ],
)
def test_states(there: dict[str, Any], state: str) -> None:
    assert state_of(there) == state


def test_one_that_somebody_scaled_to_nothing_has_the_traffic_and_is_drift() -> None:
    nothing: dict[str, Any] = {"replicas": 0, "updated": 0, "total": 0, "available": 0}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"replicas": 2}}
    by_hand = found(deployments=[deployment(4, **nothing)], service=service("shop"), applied=[Manifest(body)])
    now = observation_of(by_hand, OWN)
    assert [(one.name, one.weight, one.state) for one in now.serving] == [(revision(4), 100, "stopped")]
    assert [(one.field, one.ours, one.found) for one in now.drift] == [("Deployment/shop spec.replicas", "2", "0")]
    by_us = deployment(4, annotations={"shipper.dev/replicas": "0"}, **nothing)
    assert weights_of(found(deployments=[by_us], service=service("shop"))) == {}


def test_of_one_deployment_per_release_the_selector_says_who_serves() -> None:
    blue, green = deployment(1, name=revision(1)), deployment(2, name=revision(2))
    there = found(shape="weighted", deployments=[blue, green], service=service(revision(2)))
    now = observation_of(there, OWN)
    assert {one.name: one.weight for one in now.revisions} == {revision(1): 0, revision(2): 100}
    assert weights_of(found(shape="weighted", deployments=[blue], service=service(NOTHING))) == {}
    assert weights_of(found(shape="weighted", deployments=[blue], service=service(revision(9)))) == {}


def test_a_route_shares_by_weight() -> None:
    blue, green = deployment(1, name=revision(1)), deployment(2, name=revision(2))
    services = [{**service(name), "metadata": {"name": name}} for name in (revision(1), revision(2))]
    backends = [{"name": revision(1), "weight": 90}, {"name": revision(2), "weight": 10}]
    route = {"kind": "HTTPRoute", "metadata": {"name": "shop"}, "spec": {"rules": [{"backendRefs": backends}]}}
    there = found(
        shape="weighted",
        routes=True,
        deployments=[blue, green],
        services=services,
        service=service(revision(1)),
        route=route,
    )
    assert weights_of(there) == {revision(1): 90, revision(2): 10}


@pytest.mark.parametrize(
    ("backends", "weights"),
    [
        ({"shop": 100}, {revision(2): 100}),
        ({revision(1): 100}, {revision(1): 100}),
        ({revision(3): 100}, {revision(2): 100}),
        ({revision(9): 100}, {revision(2): 100}),
    ],
    ids=["it leads to the Service", "to what served before", "to what has no pods", "nowhere"],
)
def test_the_route_of_a_gateway_of_before_says_who_is_asked_by_it(
    backends: dict[str, int], weights: dict[str, int]
) -> None:
    stopped = deployment(3, name=revision(3), replicas=0, updated=0, total=0, available=0)
    there = [deployment(1, name=revision(1)), deployment(2, name=revision(2)), stopped]
    services = [{**service(revision(number)), "metadata": {"name": revision(number)}} for number in (1, 3)]
    refs = [{"name": name, "weight": weight} for name, weight in backends.items()]
    route = {"kind": "HTTPRoute", "metadata": {"name": "shop"}, "spec": {"rules": [{"backendRefs": refs}]}}
    asked = service(revision(2))
    state = found(shape="weighted", deployments=there, services=services, service=asked, route=route)
    assert weights_of(state) == weights


def test_the_one_deployment_waits_for_what_serves_until_the_service_is_given_to_it() -> None:
    pending = {"shipper.dev/waits-for": f"{revision(1)}@3.7"}
    rolling, blue = deployment(2, annotations=pending), deployment(1, name=revision(1))
    early = stamp_text(Stamp(epoch=3), [])
    waiting = found(deployments=[rolling, blue], service=service(revision(1), **{"shipper.dev/stamp": early}))
    now = observation_of(waiting, OWN)
    assert {one.name: one.weight for one in now.serving} == {revision(1): 100}
    assert now.in_flight is not None
    assert "takes over from" in now.in_flight
    later = stamp_text(Stamp(epoch=4), [])
    given_back = found(deployments=[rolling, blue], service=service(revision(1), **{"shipper.dev/stamp": later}))
    assert observation_of(given_back, OWN).in_flight is None


def test_the_newest_stamp_counts_whoever_carries_it() -> None:
    first = {"metadata": {"annotations": {"shipper.dev/stamp": stamp_text(Stamp(epoch=3, highest=3), [])}}}
    second = {"metadata": {"annotations": {"shipper.dev/stamp": stamp_text(Stamp(epoch=3, highest=4), [first])}}}
    older = {"metadata": {"annotations": {"shipper.dev/stamp": stamp_text(Stamp(epoch=2, highest=9), [second])}}}
    assert read_stamp([second, older, first]).highest == 4
    assert read_stamp([]) == Stamp()
    assert stamped_at(first) < stamped_at(second)


@pytest.mark.parametrize("text", ['{"epoch": "x"}', "[" * 100_000], ids=["of another form", "deep"])
def test_a_stamp_that_cannot_be_read_is_never_written_over(text: str) -> None:
    broken = {"kind": "Service", "metadata": {"name": "shop", "annotations": {"shipper.dev/stamp": text}}}
    with pytest.raises(Invalid, match="newer shipper"):
        read_stamp([broken])


def test_a_stamp_stays_short() -> None:
    stamp = Stamp(epoch=99_999, highest=99_999, verified=tuple(range(99_990, 99_999)), quarantined=("a" * 12,) * 3)
    assert len(stamp_text(stamp, [])) < 256
    assert read_stamp([{"metadata": {"annotations": {"shipper.dev/stamp": stamp_text(stamp, [])}}}]) == stamp


def test_seen_is_what_decides_traffic_and_nothing_else() -> None:
    before = deployment(1)
    after = json.loads(json.dumps(before))
    after["status"]["replicas"] = 9
    after["spec"]["replicas"] = 7
    after["metadata"].update(resourceVersion="77", generation=12)
    after["metadata"]["annotations"]["example.com/other"] = "x"
    assert seen_of([before]) == seen_of([after])
    for change in (("spec", "template"), ("metadata", "uid")):
        other = json.loads(json.dumps(before))
        other[change[0]][change[1]] = "other"
        assert seen_of([before]) != seen_of([other])
    stamped = json.loads(json.dumps(before))
    stamped["metadata"]["annotations"]["shipper.dev/stamp"] = stamp_text(Stamp(epoch=1), [])
    assert seen_of([before]) != seen_of([stamped])
    assert seen_of([before, service("shop")]) == seen_of([service("shop"), before])


OURS = {
    "spec": {
        "replicas": 2,
        "minReadySeconds": 0,
        "containers": [{"name": "app", "resources": {"limits": {"cpu": "0.5", "memory": "1Gi"}}, "env": []}],
        "args": ["a", "b"],
    }
}


@pytest.mark.parametrize(
    ("live", "differing"),
    [
        ({"spec": {"replicas": 2, "args": ["a", "b"], "containers": [
            {"name": "side"},
            {"name": "app", "resources": {"limits": {"cpu": "500m", "memory": "1073741824"}}, "image": "added"},
        ]}}, []),
        ({"spec": {"replicas": 3, "args": ["a"], "containers": [
            {"name": "app", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
        ]}}, ["spec.args", "spec.containers.app.resources.limits.cpu", "spec.replicas"]),
        ({"spec": {"replicas": 2, "args": ["a", "b"]}}, ["spec.containers"]),
    ],
    ids=["quantities and defaults", "changed", "gone"],
)  # fmt: skip
def test_only_fields_of_ours_that_are_other_ones_are_drift(live: dict[str, Any], differing: list[str]) -> None:
    assert sorted(path for path, _, _ in differences(OURS, live)) == differing


UNDONE = "3 (by kubectl; `shipper rollback --to '#3'` keeps it)"


@pytest.mark.parametrize(
    ("managers", "verified", "told"),
    [
        (["shipper"], (3, 4), []),
        (["kubectl"], (3, 4), [("Deployment/shop metadata.annotations.shipper.dev/number", "4", UNDONE)]),
        (["kubectl", "shipper"], (3, 4), []),
        (["velero-server"], (3,), []),
        ([], (3, 4), []),
    ],
    ids=["ours", "undone", "the same in both", "restored from a backup", "not said"],
)
def test_a_release_that_somebody_else_wrote_over_the_last_one_is_drift(
    managers: list[str], verified: tuple[int, ...], told: list[tuple[str, str, str]]
) -> None:
    there = deployment(3, annotations={"shipper.dev/stamp": stamp_text(Stamp(verified=verified), ())})
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:shipper.dev/release": {}}}}
    there["metadata"]["managedFields"] = [{"manager": name, "fieldsV1": fields} for name in managers]
    drift = drift_of(found(deployments=[there]))
    assert [(one.field, one.ours, one.found) for one in drift] == told


def test_what_is_not_compared() -> None:
    assert list(differences({"spec": {"replicas": 2}}, {"spec": {"replicas": 3}}, ["spec.replicas"])) == []
    assert list(differences({"a": {"b": 1}}, {"a": {"b": 2}}, ["a"])) == []


def test_a_count_that_shipper_asked_for_later_is_no_drift() -> None:
    there = deployment(1, replicas=5, annotations={"shipper.dev/replicas": "5"})
    applied = [
        Manifest({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"replicas": 2}})
    ]
    assert drift_of(found(deployments=[there], applied=applied)) == ()
    by_hand = deployment(1, replicas=6, annotations={"shipper.dev/replicas": "5"})
    assert [one.found for one in drift_of(found(deployments=[by_hand], applied=applied))] == ["6"]


@pytest.mark.parametrize(
    ("ours", "live"), [("500m", "0.5"), ("1Ki", 1024), ("1.5Gi", "1610612736"), ("2", 2), ("1e3", "1k"), (0.5, "500m")]
)
def test_an_amount_in_another_form_is_the_same(ours: object, live: object) -> None:
    assert list(differences({"spec": {"cpu": ours}}, {"spec": {"cpu": live}})) == []


@pytest.mark.parametrize(
    ("ours", "live"), [("25%", "50%"), ("abc", "abd"), ("1", "2"), ("500m", None), ("1", True), (" 1", "1")]
)
def test_what_is_another_value_differs(ours: object, live: object) -> None:
    assert len(list(differences({"spec": {"cpu": ours}}, {"spec": {"cpu": live}}))) == 1


@pytest.mark.parametrize(
    "at",
    [
        lambda value: {"data": {"VERSION": value}},
        lambda value: {"metadata": {"annotations": {"example.com/version": value}}},
        lambda value: {"spec": {"template": {"metadata": {"labels": {"version": value}}}}},
        lambda value: {"spec": {"containers": [{"name": "main", "env": [{"name": "VERSION", "value": value}]}]}},
    ],
    ids=["ConfigMap", "annotation", "label", "variable"],
)
def test_words_that_look_like_amounts_are_words(at: Callable[[str], dict[str, Any]]) -> None:
    assert len(list(differences(at("1.0"), at("1")))) == 1


@pytest.mark.parametrize("name", ["data", "labels", "annotations", "env"])
def test_an_amount_is_one_whatever_it_belongs_to_is_called(name: str) -> None:
    def pod(size: str, cpu: str) -> dict[str, Any]:
        container = {"name": name, "resources": {"limits": {"cpu": cpu}}}
        return {"spec": {"containers": [container], "volumes": [{"name": name, "emptyDir": {"sizeLimit": size}}]}}

    assert list(differences(pod("1024Mi", "0.5"), pod("1Gi", "500m"))) == []


@given(some.dictionaries(some.text(min_size=1, max_size=5), some.integers(0, 1000), max_size=6), some.integers(1, 100))
def test_percents_always_sum_to_the_whole(shares: dict[str, int], whole: int) -> None:
    result = percents(shares, whole)
    assert all(value > 0 for value in result.values())
    assert sum(result.values()) == (whole if sum(shares.values()) else 0)


_JSON: some.SearchStrategy[Any] = some.recursive(
    some.none() | some.booleans() | some.integers(-5, 5) | some.text(max_size=3),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["metadata", "spec", "status", "name", "replicas", "annotations"]), inner)
    ),
    max_leaves=8,
)


@given(_JSON, _JSON)
def test_whatever_the_api_server_sends_nothing_here_raises(value: Any, other: Any) -> None:
    carrier = value if isinstance(value, dict) else {"spec": value}
    is_complete(carrier, [carrier])
    state_of(carrier)
    release_shares(carrier, [carrier])
    list(differences(carrier, other if isinstance(other, dict) else {}))
    seen_of([carrier])


# Own manifests: what is in front of the workload is not what is followed


FRONT: dict[str, Any] = {"selector": {"app": "front"}, "template": {"metadata": {"labels": {"app": "front"}}}}


@pytest.mark.parametrize("name", ["shop", "front"])
@pytest.mark.parametrize("by_service", [True, False])
def test_a_front_end_of_own_manifests_hides_no_workload(name: str, by_service: bool) -> None:
    front = deployment(0, name=name, replicas=1, spec=FRONT)
    front["metadata"]["annotations"] = {}
    asks = {**service("shop"), "spec": {"selector": {"app": "front"}}} if by_service else None
    state = found(
        deployments=[front, deployment(1, name="shop-api")],
        service=asks,
        services=[asks] if asks else [],
        sets=[replica_set(1, 3, of="shop-api")],
        records=[record(1, "shop-api")],
    )
    assert state.rolling is not None
    assert state.rolling["metadata"]["name"] == "shop-api"
    assert weights_of(state) == {revision(1): 100}


def test_the_selector_of_a_service_of_own_manifests_is_looked_at_like_any_field() -> None:
    """Nobody moves traffic by it, and no note says what it should be."""
    asks = {**service("shop"), "apiVersion": "v1", "spec": {"selector": {"app": "maintenance"}}}
    applied = Manifest({**asks, "spec": {"selector": {"app": "web"}}})
    state = found(deployments=[deployment(1, name="web")], service=asks, applied=[applied])
    assert [(one.field, one.ours, one.found) for one in observation_of(state, OWN).drift] == [
        ("Service/shop spec.selector.app", "web", "maintenance")
    ]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"ip": "192.0.2.5"}, "http://192.0.2.5:80"),
        ({"ip": "2001:db8::5"}, "http://[2001:db8::5]:80"),
        ({"hostname": "lb.example.com", "ip": "192.0.2.5"}, "http://lb.example.com:80"),
    ],
)
def test_a_load_balancer_is_asked_at_its_address(given: dict[str, str], url: str) -> None:
    there = {**service("shop"), "status": {"loadBalancer": {"ingress": [given]}}}
    now = observation_of(found(deployments=[deployment(4)], service=there), OWN)
    assert now.address is not None
    assert now.address.url == url
