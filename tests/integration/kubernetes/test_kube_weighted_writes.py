"""A Deployment for each release, on the rig's control plane: the Service's selector, and a route's weights."""

from __future__ import annotations

import pytest

from shipper.targets import Invalid
from shipper_targets.kubernetes.kinds import DEPLOYMENT, HTTP_ROUTE, INGRESS, SECRET, SERVICE
from shipper_targets.kubernetes.values import at, text
from tests.integration.kubernetes.kube_place import KubePlace, image_of, serving, until_ready
from tests.rig.kubernetes.handle import KubeRig
from tests.rig.kubernetes.router.hands import GATEWAY, GATEWAY_NAMESPACE

pytestmark = pytest.mark.integration


@pytest.fixture
def shop(kube_rig: KubeRig, kube_namespace: str) -> KubePlace:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    kube_rig.nodes.behave("missing", namespace=kube_namespace, image=image_of("bad").reference.partition("@")[0])
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    return KubePlace(kube_namespace, kube_rig.kubeconfig(), sections={"rollout": {"strategy": "blue-green"}})


@pytest.fixture
def canary(shop: KubePlace) -> KubePlace:
    """Behind the rig's gateway."""
    shop.sets(rollout={"strategy": "canary"})
    shop.own["gateway"] = {
        "name": GATEWAY,
        "namespace": GATEWAY_NAMESPACE,
        "hosts": [f"{shop.namespace}.rig.test"],
    }
    return shop


def test_a_created_revision_has_no_traffic_until_it_is_given_all_of_it(shop: KubePlace) -> None:
    one = shop.goes_over(shop.release("one"))
    shop.begins()
    target = shop.weighted()
    now = target.observe()
    two = target.create(shop.release("two"), shop.stamp(now), now.seen)
    until_ready(target, two)
    now = target.observe()
    assert serving(now) == {1: 100}
    assert _selected(shop) == one.name

    target.shift({two.name: 100}, shop.stamp(now), now.seen)

    now = target.observe()
    assert (serving(now), now.drift, now.in_flight) == ({2: 100}, (), None)
    assert _selected(shop) == two.name
    assert now.stamp.epoch == shop.epoch


def test_going_back_is_one_write(shop: KubePlace, kube_rig: KubeRig) -> None:
    one = shop.goes_over(shop.release("one"))
    shop.goes_over(shop.release("two"))
    shop.own["kubeconfig"] = str(kube_rig.kubeconfig(gate=True))
    shop.begins()
    target = shop.weighted()
    now = target.observe()
    target.shift({one.name: 100}, shop.stamp(now), now.seen)
    written = kube_rig.gate.writes(shop.namespace)
    assert [(write.verb, write.resource, write.name) for write in written] == [("patch", "services", "shop")]
    assert serving(target.observe()) == {1: 100}


def test_what_users_ask_changes_with_the_traffic_and_comes_back_with_it(shop: KubePlace) -> None:
    shop.own["ingress"] = {"host": "one.example.com"}
    one = shop.goes_over(shop.release("one"))
    shop.own["ingress"] = {"host": "two.example.com", "annotations": {"example.com/two": "yes"}}
    shop.own["service_port"] = 8080
    shop.begins()
    target = shop.weighted()
    now = target.observe()
    two = target.create(shop.release("two"), shop.stamp(now), now.seen)
    until_ready(target, two)
    now = target.observe()
    assert _exposed(shop) == ("one.example.com", "", 80)
    assert now.drift == ()

    target.shift({two.name: 100}, shop.stamp(now), now.seen)
    now = target.observe()
    assert (_exposed(shop), now.drift) == (("two.example.com", "yes", 8080), ())

    target.shift({one.name: 100}, shop.stamp(now), now.seen)
    now = target.observe()
    assert (_exposed(shop), now.drift) == (("one.example.com", "", 80), ())


def test_a_revision_that_never_had_traffic_leaves_what_users_ask_alone(shop: KubePlace) -> None:
    shop.own["ingress"] = {"host": "one.example.com"}
    shop.goes_over(shop.release("one"))
    shop.own["ingress"] = {"host": "two.example.com"}
    shop.begins()
    target = shop.weighted()
    now = target.observe()
    bad = target.create(shop.release("bad"), shop.stamp(now), now.seen)
    assert list(target.progress(bad))[-1].state == "failed"
    now = target.observe()
    target.retire([one for one in now.revisions if one.name == bad.name], "removed", shop.stamp(now), now.seen)
    now = target.observe()
    assert (_exposed(shop)[0], serving(now), now.drift) == ("one.example.com", {1: 100}, ())
    shop.goes_over(shop.release("three"))
    assert _exposed(shop)[0] == "two.example.com"


def test_a_stopped_revision_that_somebody_had_edited_comes_back(shop: KubePlace, kube_rig: KubeRig) -> None:
    first = shop.release("one")
    one = shop.goes_over(first)
    shop.goes_over(shop.release("two"))
    path = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/{one.name}?fieldManager=kubectl-set"
    patch = {"spec": {"progressDeadlineSeconds": 77}}
    status, answer = kube_rig.request("PATCH", path, patch, "application/merge-patch+json")
    assert status < 300, answer
    target = shop.weighted()
    now = target.observe()
    target.retire([one], "stopped", shop.stamp(now), now.seen)
    now = target.observe()
    again = target.create(first, shop.stamp(now), now.seen)
    until_ready(target, again)
    now = target.observe()
    target.shift({again.name: 100}, shop.stamp(now), now.seen)
    assert (serving(target.observe()), target.observe().drift) == ({1: 100}, ())


def test_a_new_revision_has_as_many_pods_as_what_serves(shop: KubePlace) -> None:
    shop.sets(scale={"min": 2, "max": 9})
    one = shop.goes_over(shop.release("one"))
    shop.api.merge(DEPLOYMENT, one.name, {"spec": {"replicas": 5}}, subresource="scale")
    two = shop.goes_over(shop.release("two"))
    assert at(shop.api.get(DEPLOYMENT, two.name), "spec", "replicas") == 5


def test_a_smaller_fixed_number_of_pods_takes_effect(shop: KubePlace) -> None:
    shop.sets(scale={"min": 3})
    first = shop.release("one")
    shop.goes_over(first)
    shop.sets(scale={"min": 1})
    two = shop.goes_over(shop.release("two"))
    assert at(shop.api.get(DEPLOYMENT, two.name), "spec", "replicas") == 1
    assert shop.weighted().observe().drift == ()


def test_a_stopped_revision_is_started_again_with_what_serves_now_has(shop: KubePlace) -> None:
    first = shop.release("one")
    one = shop.goes_over(first)
    shop.sets(scale={"min": 3})
    shop.goes_over(shop.release("two"))
    target = shop.weighted()
    now = target.observe()
    target.retire([one], "stopped", shop.stamp(now), now.seen)
    now = target.observe()
    assert {found.number: found.state for found in now.revisions} == {1: "stopped", 2: "running"}
    with pytest.raises(Invalid, match="stopped"):
        target.shift({one.name: 100}, shop.stamp(now), now.seen)

    again = target.create(first, shop.stamp(now), now.seen)

    assert again.name == one.name
    until_ready(target, again)
    assert at(shop.api.get(DEPLOYMENT, one.name), "spec", "replicas") == 3
    now = target.observe()
    target.shift({one.name: 100}, shop.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.drift) == ({1: 100}, ())


def test_removed_is_gone_and_its_record_stays_for_the_way_back(shop: KubePlace) -> None:
    first = shop.release("one")
    one = shop.goes_over(first)
    shop.goes_over(shop.release("two"))
    target = shop.weighted()
    for _ in range(2):
        now = target.observe()
        target.retire([one], "removed", shop.stamp(now), now.seen)
    assert [found.number for found in target.revisions()] == [2]
    assert [record.number for record in target.records()] == [1, 2]
    assert target.restorable(first).problems == ()

    back = shop.goes_over(shop.release(back_to=first))

    assert serving(shop.weighted().observe()) == {3: 100}
    assert back.name != one.name


def test_what_has_traffic_or_is_not_there_is_refused(shop: KubePlace) -> None:
    shop.goes_over(shop.release("one"))
    target = shop.weighted()
    now = target.observe()
    with pytest.raises(Invalid, match="has traffic"):
        target.retire(now.serving, "stopped", shop.stamp(now), now.seen)
    with pytest.raises(Invalid, match="no revision shop-9-zzzzzz"):
        target.shift({"shop-9-zzzzzz": 100}, shop.stamp(now), now.seen)
    with pytest.raises(Invalid, match="sum to 90"):
        target.shift({now.serving[0].name: 90}, shop.stamp(now), now.seen)


def test_no_traffic_at_all(shop: KubePlace) -> None:
    shop.goes_over(shop.release("one"))
    target = shop.weighted()
    now = target.observe()
    target.shift({}, shop.stamp(now), now.seen)
    now = target.observe()
    assert (now.serving, now.drift) == ((), ())


def test_from_rolling_the_one_deployment_is_the_revision_that_serves(shop: KubePlace) -> None:
    shop.sets(rollout={"strategy": "rolling"})
    shop.rolls_out(shop.release("one"))
    shop.sets(rollout={"strategy": "blue-green"})
    two = shop.release("two")
    now = shop.weighted().observe()
    assert "from rolling to one Deployment per release" in shop.weighted().plan(two, now).remarks[0]
    one = now.serving[0]
    shop.goes_over(two)
    target = shop.weighted()
    now = target.observe()
    assert serving(now) == {2: 100}
    target.shift({one.name: 100}, shop.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.drift) == ({1: 100}, ())
    assert _selected(shop) == "shop"


def test_old_releases_are_collected_and_nothing_that_serves(shop: KubePlace) -> None:
    for image in ("one", "two", "three"):
        shop.goes_over(shop.release(image))
    target = shop.weighted()
    now = target.observe()
    garbage = target.garbage([2], [])
    assert sorted((item.kind, item.why) for item in garbage) == [
        ("record", "release 1 need not come back"),
        ("revision", "release 1 need not come back"),
    ]
    gone = target.collect(garbage, shop.stamp(now), now.seen)
    assert set(gone) == set(garbage)
    now = target.observe()
    assert [found.number for found in now.revisions] == [2, 3]
    assert [record.number for record in target.records()] == [2, 3]
    assert target.garbage([2], []) == []
    assert len(shop.api.list(SECRET, fields="type=shipper.dev/release").items) == 2


def test_a_canary_shares_by_the_route(canary: KubePlace, kube_rig: KubeRig) -> None:
    one = canary.goes_over(canary.release("one"))
    canary.begins()
    target = canary.weighted()
    now = target.observe()
    assert serving(now) == {1: 100}
    two = target.create(canary.release("two"), canary.stamp(now), now.seen)
    until_ready(target, two)

    now = target.observe()
    target.shift({one.name: 90, two.name: 10}, canary.stamp(now), now.seen)

    now = target.observe()
    assert (serving(now), now.drift) == ({1: 90, 2: 10}, ())
    assert now.stamp.epoch == canary.epoch
    assert now.address is not None
    assert (now.address.url, now.address.reach) == (f"http://{canary.namespace}.rig.test", "public")
    assert _selected(canary) == one.name
    target.shift({two.name: 100}, canary.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.drift) == ({2: 100}, ())
    assert _selected(canary) == two.name
    target.retire([one], "removed", canary.stamp(now), now.seen)
    assert canary.api.find(SERVICE, one.name) is None
    assert canary.api.find(SERVICE, two.name) is not None


def test_each_revision_behind_the_route_is_asked_at_its_own_port(canary: KubePlace) -> None:
    one = canary.goes_over(canary.release("one"))
    canary.own["service_port"] = 8080
    canary.begins()
    target = canary.weighted()
    now = target.observe()
    two = target.create(canary.release("two"), canary.stamp(now), now.seen)
    until_ready(target, two)
    now = target.observe()
    target.shift({one.name: 90, two.name: 10}, canary.stamp(now), now.seen)  # a gateway refuses what is not there
    assert _ports(canary) == {one.name: 80, two.name: 8080}
    now = target.observe()
    target.shift({one.name: 100}, canary.stamp(now), now.seen)
    assert _ports(canary) == {one.name: 80}
    assert target.observe().drift == ()


def test_from_rolling_to_a_canary_the_old_one_keeps_its_share(canary: KubePlace) -> None:
    canary.sets(rollout={"strategy": "rolling"})
    canary.rolls_out(canary.release("one"))
    assert at(canary.api.get(HTTP_ROUTE, "shop"), "spec", "rules")[0]["backendRefs"][0]["name"] == "shop"
    canary.sets(rollout={"strategy": "canary"})
    canary.begins()
    target = canary.weighted()
    now = target.observe()
    one = now.serving[0]
    two = target.create(canary.release("two"), canary.stamp(now), now.seen)
    until_ready(target, two)
    now = target.observe()
    target.shift({one.name: 80, two.name: 20}, canary.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.drift) == ({1: 80, 2: 20}, ())
    target.shift({two.name: 100}, canary.stamp(now), now.seen)
    now = target.observe()
    target.shift({one.name: 100}, canary.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.drift) == ({1: 100}, ())

    canary.sets(rollout={"strategy": "rolling"})
    canary.rolls_out(canary.release("three"))
    now = canary.rolling().observe()
    assert (serving(now), now.in_flight, now.drift) == ({3: 100}, None, ())


def _leaves_the_gateway(place: KubePlace, strategy: str) -> None:
    place.own["ingress"] = {"host": place.own.pop("gateway")["hosts"][0]}
    place.sets(rollout={"strategy": strategy})


def test_the_route_of_a_gateway_that_was_left_leads_to_what_serves_and_goes_after_it(canary: KubePlace) -> None:
    gateway = canary.own["gateway"]
    first = canary.release("one")
    one = canary.goes_over(first)
    _leaves_the_gateway(canary, "blue-green")
    two = canary.goes_over(canary.release("two"))
    assert _backends(canary) == {"shop": 100}
    target = canary.weighted()
    now = target.observe()
    assert (serving(now), now.drift) == ({2: 100}, ())

    target.shift({one.name: 100}, canary.stamp(now), now.seen)
    now = target.observe()
    assert (_backends(canary), serving(now), now.drift) == ({one.name: 100}, {1: 100}, ())
    target.shift({two.name: 100}, canary.stamp(now), now.seen)
    now = target.observe()
    assert (_backends(canary), serving(now), now.drift) == ({"shop": 100}, {2: 100}, ())

    target.retire([one], "stopped", canary.stamp(now), now.seen)
    assert _backends(canary) == {"shop": 100}, "what comes back has it"
    now = target.observe()
    target.retire([one], "removed", canary.stamp(now, verified=(1, 2)), now.seen)
    assert canary.api.find(HTTP_ROUTE, "shop") is None
    now = target.observe()
    assert (serving(now), now.drift, now.stamp.verified) == ({2: 100}, (), (1, 2))

    back = canary.goes_over(canary.release(back_to=first))
    assert _backends(canary) == {back.name: 100}
    assert serving(canary.weighted().observe()) == {3: 100}
    canary.goes_over(canary.release("four"))
    assert _backends(canary) == {"shop": 100}
    canary.own["gateway"] = gateway
    del canary.own["ingress"]
    five = canary.goes_over(canary.release("five"))
    assert _backends(canary) == {five.name: 100}


def test_the_route_of_a_gateway_that_was_left_for_rolling_moves_when_the_pods_are_ready(canary: KubePlace) -> None:
    first = canary.release("one")
    one = canary.goes_over(first)
    _leaves_the_gateway(canary, "rolling")
    canary.begins()
    target = canary.rolling()
    now = target.observe()
    two = target.replace(canary.release("two"), canary.stamp(now), now.seen)
    assert (_backends(canary), serving(target.observe())) == ({one.name: 100}, {1: 100})
    until_ready(target, two)
    now = target.observe()
    target.finish(two, canary.stamp(now), now.seen)
    now = target.observe()
    assert (_backends(canary), serving(now), now.in_flight, now.drift) == ({"shop": 100}, {2: 100}, None, ())
    target.retire([one], "removed", canary.stamp(now), now.seen)
    assert canary.api.find(HTTP_ROUTE, "shop") is None
    canary.rolls_out(canary.release(back_to=first))
    now = canary.rolling().observe()
    assert (serving(now), now.drift) == ({3: 100}, ())


def test_a_route_that_somebody_deleted_is_drift(canary: KubePlace) -> None:
    canary.goes_over(canary.release("one"))
    canary.api.delete(HTTP_ROUTE, "shop")
    (one,) = canary.weighted().observe().drift
    assert (one.field, one.found) == ("HTTPRoute/shop", "(nothing)")


def _backends(place: KubePlace) -> dict[str, int]:
    (rule,) = at(place.api.get(HTTP_ROUTE, "shop"), "spec", "rules")
    return {one["name"]: one["weight"] for one in rule["backendRefs"]}


def test_two_revisions_do_not_share_without_a_gateway(shop: KubePlace) -> None:
    one = shop.goes_over(shop.release("one"))
    two = shop.goes_over(shop.release("two"))
    target = shop.weighted()
    now = target.observe()
    with pytest.raises(Invalid, match="gateway"):
        target.shift({one.name: 50, two.name: 50}, shop.stamp(now), now.seen)
    assert serving(target.observe()) == {2: 100}


def test_a_route_that_the_gateway_refuses_is_said(canary: KubePlace) -> None:
    one = canary.goes_over(canary.release("one"))
    canary.api.delete(SERVICE, one.name)
    canary.begins()
    target = canary.weighted()
    now = target.observe()
    two = target.create(canary.release("two"), canary.stamp(now), now.seen)
    until_ready(target, two)
    now = target.observe()
    target.shift({two.name: 100}, canary.stamp(now), now.seen)
    assert serving(target.observe()) == {2: 100}
    canary.own["gateway"] = {**canary.own["gateway"], "section": "no-such-listener"}
    target = canary.weighted()
    now = target.observe()
    three = target.create(canary.release("three"), canary.stamp(now), now.seen)
    until_ready(target, three)
    now = target.observe()
    with pytest.raises(Invalid, match="refuses HTTPRoute shop"):
        target.shift({three.name: 100}, canary.stamp(now), now.seen)


def _exposed(shop: KubePlace) -> tuple[str, str, int]:
    """The Ingress's host, an annotation of it, and the Service's port."""
    ingress, service = shop.api.get(INGRESS, "shop"), shop.api.get(SERVICE, "shop")
    note = text(ingress, "metadata", "annotations", "example.com/two")
    return at(ingress, "spec", "rules")[0]["host"], note, at(service, "spec", "ports")[0]["port"]


def _ports(canary: KubePlace) -> dict[str, int]:
    (rule,) = at(canary.api.get(HTTP_ROUTE, "shop"), "spec", "rules")
    return {one["name"]: one["port"] for one in rule["backendRefs"]}


def _selected(shop: KubePlace) -> str:
    return str(at(shop.api.get(SERVICE, "shop"), "spec", "selector", "shipper.dev/workload"))
