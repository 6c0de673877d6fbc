"""One Deployment that is replaced, on the rig's control plane: forward, back, and the shape changed."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from shipper.model import Observation
from shipper.targets import Conflict, HalfDone, Invalid, NotFound, PlatformError, Transient
from shipper_targets.kubernetes.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HPA,
    INGRESS,
    PDB,
    REPLICA_SET,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
)
from shipper_targets.kubernetes.rolling import RollingTarget
from shipper_targets.kubernetes.rollouts import wanted_pods
from shipper_targets.kubernetes.values import at, name_of, text, uid_of
from tests.integration.kubernetes.kube_place import KubePlace, image_of, serving, until, until_ready
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


def to_warm(shop: KubePlace, name: str) -> None:
    """The way back, as rollouts leave it."""
    target = shop.rolling()
    now = target.observe()
    target.retire([one for one in now.revisions if one.name == name], "warm", shop.stamp(now), now.seen)


@pytest.fixture
def shop(kube_rig: KubeRig, kube_namespace: str) -> KubePlace:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    kube_rig.nodes.behave("missing", namespace=kube_namespace, image=image_of("bad").reference.partition("@")[0])
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    return KubePlace(kube_namespace, kube_rig.kubeconfig())


def test_a_first_release_serves_and_carries_the_stamp(shop: KubePlace) -> None:
    revision = shop.rolls_out(shop.release("one"))

    now = shop.rolling().observe()
    assert serving(now) == {1: 100}
    assert (now.serving[0].name, now.serving[0].state) == (revision.name, "running")
    assert (now.stamp.epoch, now.stamp.highest, now.stamp.verified) == (1, 1, (1,))
    assert (now.in_flight, now.drift, now.capacity, now.capacity_owner) == (None, (), 1, "shipper")
    assert now.address is not None
    assert (now.address.url, now.address.reach) == (f"http://shop.{shop.namespace}.svc", "internal")


def test_what_comes_back_is_everything_of_then_in_the_replica_set_of_then(shop: KubePlace) -> None:
    shop.sets(run={"env": {"MODE": "then"}})
    one = shop.release("one")
    shop.rolls_out(one)
    then = _configured(shop)
    first_set = name_of(shop.api.list(REPLICA_SET).items[0])
    shop.sets(run={"env": {"MODE": "now"}})
    shop.rolls_out(shop.release("two"))
    assert _configured(shop) == {"MODE": "now"} != then

    shop.rolls_out(shop.release(back_to=one))

    assert _configured(shop) == {"MODE": "then"}
    sets = {name_of(one): at(one, "spec", "replicas") for one in shop.api.list(REPLICA_SET).items}
    assert len(sets) == 2, "a rollback made another ReplicaSet"
    assert sets[first_set] == 1
    assert serving(shop.rolling().observe()) == {3: 100}


def test_a_rollback_by_the_record_alone(shop: KubePlace) -> None:
    """Another namespace setting, another rendering: what is applied is what was recorded."""
    one = shop.release("one")
    shop.rolls_out(one)
    shop.own["annotations"] = {"example.com/later": "setting"}
    shop.rolls_out(shop.release("two"))
    assert _template_annotation(shop, "example.com/later") == "setting"

    shop.rolls_out(shop.release(back_to=one))

    assert _template_annotation(shop, "example.com/later") == ""


def test_a_release_that_cannot_start_is_aborted_in_one_deployment_write(shop: KubePlace, kube_rig: KubeRig) -> None:
    shop.rolls_out(shop.release("one"))
    shop.own["kubeconfig"] = str(kube_rig.kubeconfig(gate=True))
    shop.begins()
    target, bad = shop.rolling(), shop.release("bad")
    now = target.observe()
    revision = target.replace(bad, shop.stamp(now), now.seen)
    assert list(target.progress(revision))[-1].state == "failed"
    now = target.observe()
    assert serving(now) == {1: 100}
    assert now.in_flight is not None
    before = len(kube_rig.gate.writes(shop.namespace))

    started = time.monotonic()
    target.abort(now.in_flight, shop.stamp(now), now.seen)
    assert time.monotonic() - started < 2.0

    written = kube_rig.gate.writes(shop.namespace)[before:]
    assert [(one.verb, one.resource) for one in written] == [("patch", "deployments")]
    now = until(target, lambda now: now.in_flight is None)
    assert serving(now) == {1: 100}
    assert now.drift == ()
    target.retire([one for one in now.revisions if one.number == 2], "removed", shop.stamp(now), now.seen)
    assert [one.number for one in target.revisions()] == [1]


@pytest.mark.parametrize("verified", [1, 2])
@pytest.mark.parametrize("half", [False, True], ids=["not ready", "one pod ready"])
def test_what_is_being_put_back_is_put_back_when_the_answer_is_lost(
    shop: KubePlace, kube_rig: KubeRig, verified: int, half: bool
) -> None:
    shop.sets(scale={"min": 3})
    for number in range(verified):
        shop.rolls_out(shop.release(f"good-{number}"))
    before = shop.api.get(DEPLOYMENT, "shop")
    shop.own["kubeconfig"] = str(kube_rig.kubeconfig(gate=True))
    now, target = _goes_wrong(shop, half=half)
    kube_rig.gate.fail(shop.namespace, "cut-after", verb="patch", resource="deployments", times=1)
    assert now.in_flight is not None
    with pytest.raises(Transient):
        target.abort(now.in_flight, shop.stamp(now), now.seen)

    for _ in range(2):
        now = target.observe()
        if now.in_flight is not None:
            with suppress(NotFound):  # it has ended since it was looked at
                target.abort(now.in_flight, shop.stamp(now), now.seen)

    now = until(target, lambda now: now.in_flight is None)
    found = shop.api.get(DEPLOYMENT, "shop")
    assert serving(now) == {verified: 100}
    assert uid_of(found) == uid_of(before)
    assert at(found, "spec", "template") == at(before, "spec", "template")


def test_without_the_record_of_what_served_its_pods_are_put_back(shop: KubePlace) -> None:
    """As `kubectl rollout undo` does it: the Deployment is never deleted under pods that serve."""
    shop.rolls_out(shop.release("one"))
    before = shop.api.get(DEPLOYMENT, "shop")
    (record,) = shop.api.list(SECRET, fields="type=shipper.dev/release").items
    shop.api.delete(SECRET, name_of(record))
    now, target = _goes_wrong(shop)
    assert now.in_flight is not None

    target.abort(now.in_flight, shop.stamp(now), now.seen)

    now = until(target, lambda now: now.in_flight is None)
    found = shop.api.get(DEPLOYMENT, "shop")
    assert (serving(now), uid_of(found)) == ({1: 100}, uid_of(before))
    assert at(found, "spec", "template") == at(before, "spec", "template")
    shop.rolls_out(shop.release("three"))
    assert (serving(target.observe()), target.observe().drift) == ({3: 100}, ())


def test_what_nothing_can_bring_back_is_not_deleted(shop: KubePlace) -> None:
    """With recreate no old pod is left; here neither the record nor the stamp is, either."""
    shop.sets(rollout={"strategy": "recreate"})
    shop.rolls_out(shop.release("one"))
    (record,) = shop.api.list(SECRET, fields="type=shipper.dev/release").items
    now, target = _goes_wrong(shop)
    shop.api.delete(SECRET, name_of(record))
    for kind in (DEPLOYMENT, SERVICE):
        shop.api.merge(kind, "shop", {"metadata": {"annotations": {"shipper.dev/stamp": None}}})
    now = target.observe()
    assert now.in_flight is not None
    with pytest.raises(Invalid, match="nothing here can bring back"):
        target.abort(now.in_flight, shop.stamp(now), now.seen)
    assert shop.api.find(DEPLOYMENT, "shop") is not None


@pytest.mark.parametrize("refused", [False, True], ids=["it does not start", "its Deployment is refused"])
def test_what_a_failed_release_had_changed_around_it_is_as_it_was(
    shop: KubePlace, kube_rig: KubeRig, refused: bool
) -> None:
    shop.sets(scale={"min": 1, "max": 4})
    shop.own["ingress"] = {"host": "one.example.com"}
    shop.rolls_out(shop.release("one"))
    shop.sets(scale={"min": 1, "max": 8})
    shop.own["ingress"] = {"host": "two.example.com", "annotations": {"example.com/two": "yes"}}
    shop.own["service_port"] = 8080
    shop.own["kubeconfig"] = str(kube_rig.kubeconfig(gate=True))
    if refused:
        shop.begins()
        target = shop.rolling()
        now = target.observe()

        def refuses(_: object) -> None:
            kube_rig.gate.fail(shop.namespace, 500, verb="patch", resource="deployments", times=1)

        with kube_rig.gate.meanwhile(shop.namespace, refuses, 1, resource="secrets"), pytest.raises(PlatformError):
            target.replace(shop.release("bad"), shop.stamp(now), now.seen)
        now = target.observe()
        assert (serving(now), now.in_flight, now.drift) == ({1: 100}, None, ())
    else:
        now, target = _goes_wrong(shop)
        assert now.in_flight is not None
        target.abort(now.in_flight, shop.stamp(now), now.seen)
        now = until(target, lambda now: now.in_flight is None)
    target.retire([one for one in now.revisions if one.number == 2], "removed", shop.stamp(now), now.seen)

    ingress = shop.api.get(INGRESS, "shop")
    assert at(ingress, "spec", "rules")[0]["host"] == "one.example.com"
    assert text(ingress, "metadata", "annotations", "example.com/two") == ""
    assert at(shop.api.get(HPA, "shop"), "spec", "maxReplicas") == 4
    assert [port["port"] for port in at(shop.api.get(SERVICE, "shop"), "spec", "ports")] == [80]
    now = target.observe()
    assert (serving(now), now.drift) == ({1: 100}, ())
    shop.rolls_out(shop.release("three"))
    assert at(shop.api.get(INGRESS, "shop"), "spec", "rules")[0]["host"] == "two.example.com"


def test_the_account_that_pods_name_by_now_stays(shop: KubePlace) -> None:
    shop.rolls_out(shop.release("one"))
    shop.own["service_account"] = "shop"
    shop.rolls_out(shop.release("two"))
    target = shop.rolling()
    now = target.observe()
    target.retire([one for one in now.revisions if not one.weight], "warm", shop.stamp(now), now.seen)
    assert shop.api.find(SERVICE_ACCOUNT, "shop") is not None


def test_a_first_release_that_cannot_start_leaves_nothing_that_serves(shop: KubePlace) -> None:
    shop.sets(run={"env": {"MODE": "one"}}, scale={"min": 2})
    shop.begins()
    target = shop.rolling()
    now = target.observe()
    revision = target.replace(shop.release("bad"), shop.stamp(now), now.seen)
    assert list(target.progress(revision))[-1].state == "failed"
    now = target.observe()
    assert now.serving == ()
    assert now.in_flight is not None

    target.abort(now.in_flight, shop.stamp(now), now.seen)

    now = target.observe()
    assert (now.serving, now.in_flight, now.stamp.epoch) == ((), None, 1)
    target.retire(now.revisions, "removed", shop.stamp(now), now.seen)
    left = [name_of(one) for kind in (DEPLOYMENT, CONFIG_MAP, SECRET, PDB) for one in shop.api.list(kind).items]
    assert left == ["kube-root-ca.crt"]
    shop.rolls_out(shop.release("good"))
    assert serving(shop.rolling().observe()) == {2: 100}


def test_an_operation_that_is_not_under_way_cannot_be_aborted(shop: KubePlace) -> None:
    shop.rolls_out(shop.release("one"))
    target = shop.rolling()
    now = target.observe()
    with pytest.raises(NotFound, match="is under way"):
        target.abort("rollout of shop to generation 99", shop.stamp(now), now.seen)


def test_the_same_release_twice_is_one_revision(shop: KubePlace) -> None:
    one = shop.release("one")
    first = shop.rolls_out(one)
    second = shop.rolls_out(one)
    assert first.name == second.name
    assert [found.name for found in shop.rolling().revisions()] == [first.name]


def test_what_an_autoscaler_has_scaled_to_survives_ten_releases(shop: KubePlace) -> None:
    shop.sets(scale={"min": 2, "max": 6})
    shop.rolls_out(shop.release("r0"))
    shop.api.merge(DEPLOYMENT, "shop", {"spec": {"replicas": 5}}, subresource="scale")
    for number in range(1, 11):
        shop.rolls_out(shop.release(f"r{number}"))
        assert at(shop.api.get(DEPLOYMENT, "shop"), "spec", "replicas") == 5
    now = shop.rolling().observe()
    assert (now.capacity, now.capacity_owner, now.drift) == (5, "hpa shop", ())


def test_an_autoscaler_that_comes_later_takes_the_count_over_as_it_is(shop: KubePlace) -> None:
    shop.sets(scale={"min": 3})
    shop.rolls_out(shop.release("one"))
    shop.sets(scale={"min": 2, "max": 9})
    shop.rolls_out(shop.release("two"))
    assert at(shop.api.get(DEPLOYMENT, "shop"), "spec", "replicas") == 3
    assert shop.api.find(HPA, "shop") is not None


def test_a_rollback_takes_no_pods_away(shop: KubePlace) -> None:
    one = shop.release("one")
    shop.rolls_out(one)
    shop.sets(scale={"min": 4})
    shop.rolls_out(shop.release("two"))
    shop.rolls_out(shop.release(back_to=one))
    now = shop.rolling().observe()
    assert now.capacity == 4
    assert now.drift == ()


def test_what_is_not_rendered_any_more_goes_and_nothing_else(shop: KubePlace) -> None:
    foreign = {"metadata": {"name": "somebody-elses"}, "data": {"KEY": "value"}}
    shop.api.create(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", **foreign})
    labelled = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "by-hand", "labels": dict(_labels_of_ours())},
    }
    shop.api.create(CONFIG_MAP, labelled)
    shop.sets(scale={"min": 2, "max": 4}, run={"env": {"MODE": "one"}})
    one = shop.release("one")
    shop.rolls_out(one)
    assert shop.api.find(HPA, "shop") is not None
    assert shop.api.find(PDB, "shop") is not None
    shop.sets(scale={"min": 1}, run={"env": {"MODE": "two"}})
    shop.rolls_out(shop.release("two"))
    assert shop.api.find(HPA, "shop") is not None, "it went before the release was verified"

    target = shop.rolling()
    now = target.observe()
    target.retire([one for one in now.revisions if not one.weight], "warm", shop.stamp(now), now.seen)

    assert shop.api.find(HPA, "shop") is None
    assert shop.api.find(PDB, "shop") is None
    names = {name_of(one) for one in shop.api.list(CONFIG_MAP).items}
    assert {"somebody-elses", "by-hand"} <= names
    assert len([name for name in names if name.startswith("shop-")]) == 2, "kubectl rollout undo needs that of then"
    shop.rolls_out(shop.release(back_to=one))
    assert shop.api.find(HPA, "shop") is not None


def test_what_has_traffic_is_not_retired(shop: KubePlace) -> None:
    shop.rolls_out(shop.release("one"))
    target = shop.rolling()
    now = target.observe()
    with pytest.raises(Invalid, match="has traffic"):
        target.retire(now.serving, "removed", shop.stamp(now), now.seen)


def test_records_are_whole_and_cannot_be_changed(shop: KubePlace) -> None:
    one = shop.release("one")
    shop.rolls_out(one)
    assert shop.rolling().records() == [one]
    (record,) = shop.api.list(SECRET, fields="type=shipper.dev/release").items
    with pytest.raises(Invalid, match="immutable"):
        shop.api.merge(SECRET, name_of(record), {"data": {"release": ""}})


def test_from_one_deployment_per_release_traffic_moves_when_the_new_one_is_ready(shop: KubePlace) -> None:
    blue = shop.goes_over(shop.release("one"))
    shop.sets(rollout={"strategy": "rolling"})
    shop.begins()
    target, two = shop.rolling(), shop.release("two")
    now = target.observe()
    assert "from one Deployment per release to rolling" in target.plan(two, now).remarks[0]
    revision = target.replace(two, shop.stamp(now), now.seen)
    until_ready(target, revision)

    now = target.observe()
    assert serving(now) == {1: 100}
    assert now.in_flight is not None
    assert blue.name in now.in_flight
    target.finish(revision, shop.stamp(now), now.seen)

    now = target.observe()
    assert (serving(now), now.in_flight, now.drift) == ({2: 100}, None, ())
    target.replace(shop.rolling().records()[0], shop.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.in_flight) == ({1: 100}, None), "what still ran had to wait for its traffic"


def test_after_a_change_to_rolling_what_is_not_the_way_back_any_more_has_no_pods(shop: KubePlace) -> None:
    blue = shop.goes_over(shop.release("one"))
    shop.sets(rollout={"strategy": "rolling"})
    green = shop.rolls_out(shop.release("two"))
    to_warm(shop, blue.name)
    assert wanted_pods(shop.api.get(DEPLOYMENT, blue.name)) == 1
    shop.rolls_out(shop.release("three"))
    to_warm(shop, green.name)
    assert wanted_pods(shop.api.get(DEPLOYMENT, blue.name)) == 0
    assert serving(shop.rolling().observe()) == {3: 100}


def test_a_change_to_rolling_that_fails_is_taken_away(shop: KubePlace) -> None:
    shop.goes_over(shop.release("one"))
    shop.sets(rollout={"strategy": "rolling"})
    shop.begins()
    target = shop.rolling()
    now = target.observe()
    revision = target.replace(shop.release("bad"), shop.stamp(now), now.seen)
    assert list(target.progress(revision))[-1].state == "failed"
    now = target.observe()
    assert now.in_flight is not None
    target.abort(now.in_flight, shop.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.in_flight) == ({1: 100}, None)
    assert shop.api.find(DEPLOYMENT, "shop") is None


def test_removal_leaves_nothing_of_ours(shop: KubePlace) -> None:
    shop.sets(scale={"min": 2, "max": 4}, run={"env": {"MODE": "one"}})
    shop.rolls_out(shop.release("one"))
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "somebody-elses"}}
    shop.api.create(CONFIG_MAP, foreign)
    for _ in range(2):
        target = shop.rolling()
        now = target.observe()
        target.remove(shop.stamp(now), now.seen)
    left = [
        f"{kind} {name_of(one)}"
        for kind in (DEPLOYMENT, SERVICE, SECRET, CONFIG_MAP, HPA, PDB)
        for one in shop.api.list(kind).items
    ]
    assert sorted(left) == ["ConfigMap kube-root-ca.crt", "ConfigMap somebody-elses"]


@pytest.mark.parametrize("strategy", ["rolling", "blue-green"])
def test_a_finalizer_that_keeps_a_deployment_keeps_its_records(
    shop: KubePlace, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipper_targets.kubernetes.removing.LET_GO_WITHIN", 0.5)
    shop.sets(rollout={"strategy": strategy})
    rolls = strategy == "rolling"
    one = (shop.rolls_out if rolls else shop.goes_over)(shop.release("one"))
    name = "shop" if rolls else one.name
    shop.api.merge(DEPLOYMENT, name, {"metadata": {"finalizers": ["example.com/hang"]}})
    for _ in range(2):
        target = shop.rolling() if rolls else shop.weighted()
        now = target.observe()
        with pytest.raises(HalfDone, match=f"Deployment {name} is deleted and still there.*example.com/hang"):
            target.remove(shop.stamp(now), now.seen)
        assert [record.number for record in target.records()] == [1]
    shop.api.merge(DEPLOYMENT, name, {"metadata": {"finalizers": None}})
    target = shop.rolling() if rolls else shop.weighted()
    now = target.observe()
    target.remove(shop.stamp(now), now.seen)
    assert [*target.records(), *shop.api.list(DEPLOYMENT).items, *shop.api.list(SERVICE).items] == []


def test_what_somebody_scaled_to_nothing_is_drift_and_comes_back(shop: KubePlace) -> None:
    first = shop.release("one")
    shop.rolls_out(first)
    shop.api.merge(DEPLOYMENT, "shop", {"spec": {"replicas": 0}}, subresource="scale")
    now = until(shop.rolling(), lambda now: now.drift and now.in_flight is None)
    assert serving(now) == {1: 100}
    assert [(one.field, one.ours, one.found) for one in now.drift] == [("Deployment/shop spec.replicas", "1", "0")]
    shop.rolls_out(shop.release(back_to=first))
    now = shop.rolling().observe()
    assert (serving(now), now.capacity, now.drift) == ({2: 100}, 1, ())


def test_a_stamp_without_anything_to_carry_it(shop: KubePlace) -> None:
    target = shop.rolling()
    now = target.observe()
    with pytest.raises(NotFound):
        target.write_stamp(shop.stamp(now), now.seen)
    with pytest.raises(Conflict):
        target.write_stamp(shop.stamp(now), "something else")


def _goes_wrong(shop: KubePlace, *, half: bool = False) -> tuple[Observation, RollingTarget]:
    """A release that cannot start is under way; with `half` one that has one pod ready and waits."""
    shop.begins()
    if half:
        shop.own["min_ready"] = "120s"
    target = shop.rolling()
    now = target.observe()
    revision = target.replace(shop.release("slowly" if half else "bad"), shop.stamp(now), now.seen)
    if half:
        return until(target, lambda now: _has_pods(shop, revision.release)), target
    assert list(target.progress(revision))[-1].state == "failed"
    return target.observe(), target


def _has_pods(shop: KubePlace, release: str | None) -> bool:
    sets = shop.api.list(REPLICA_SET).items
    of_it = [one for one in sets if text(one, "metadata", "annotations", "shipper.dev/release") == release]
    return any(at(one, "status", "readyReplicas") for one in of_it)


def _configured(shop: KubePlace) -> dict[str, str]:
    (container,) = at(shop.api.get(DEPLOYMENT, "shop"), "spec", "template", "spec", "containers")
    name = at(container["envFrom"][0], "configMapRef", "name")
    return dict(shop.api.get(CONFIG_MAP, name)["data"])


def _template_annotation(shop: KubePlace, key: str) -> str:
    return text(shop.api.get(DEPLOYMENT, "shop"), "spec", "template", "metadata", "annotations", key)


def _labels_of_ours() -> dict[str, str]:
    from shipper_targets.kubernetes.labels import labels_of
    from tests.integration.kubernetes.kube_service import settings_of

    return labels_of(settings_of(), "shop")
