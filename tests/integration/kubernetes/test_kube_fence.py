"""Two writers, older runs, lost answers and runs that die in the middle: what served serves, and the next run finishes.

A run that dies is a connection that ends at that write: nothing of it is carried out afterwards.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial

import pytest

from shipper.model import Release
from shipper.targets import Conflict, PlatformError, Transient
from shipper_targets.kubernetes.kinds import DEPLOYMENT, SERVICE
from shipper_targets.kubernetes.rolling import RollingTarget
from shipper_targets.kubernetes.values import at
from shipper_targets.kubernetes.weighted import WeightedTarget
from tests.integration.kubernetes.kube_place import KubePlace, serving, until, until_ready
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

MOST_WRITES = 20


@pytest.fixture
def shop(kube_rig: KubeRig, kube_namespace: str) -> KubePlace:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    return KubePlace(kube_namespace, kube_rig.kubeconfig(gate=True))


def test_what_was_decided_on_an_older_state_is_refused(shop: KubePlace) -> None:
    shop.rolls_out(shop.release("one"))
    shop.begins()
    target = shop.rolling()
    before = target.observe()
    target.write_stamp(shop.stamp(before, quarantined=("abc",)), before.seen)
    now = target.observe()
    assert now.seen != before.seen
    for write in (
        lambda: target.replace(shop.release("two"), shop.stamp(now), before.seen),
        lambda: target.write_stamp(shop.stamp(now), before.seen),
        lambda: target.retire(now.revisions, "warm", shop.stamp(now), before.seen),
        lambda: target.remove(shop.stamp(now), before.seen),
        lambda: target.collect([], shop.stamp(now), before.seen),
    ):
        with pytest.raises(Conflict, match="as it was seen"):
            write()
    assert target.observe().seen == now.seen


def test_a_lower_epoch_is_refused_and_writes_nothing(shop: KubePlace, kube_rig: KubeRig) -> None:
    shop.rolls_out(shop.release("one"))
    shop.rolls_out(shop.release("two"))
    target = shop.rolling()
    now = target.observe()
    old = shop.stamp(now, epoch=1)
    written = len(kube_rig.gate.writes(shop.namespace))
    with pytest.raises(Conflict, match="overtaken by epoch 2"):
        target.replace(shop.release("three"), old, now.seen)
    assert len(kube_rig.gate.writes(shop.namespace)) == written


def test_status_and_an_autoscaler_change_nothing_that_was_seen(shop: KubePlace) -> None:
    shop.sets(scale={"min": 1, "max": 5})
    shop.rolls_out(shop.release("one"))
    target = shop.rolling()
    before = target.observe()
    shop.api.merge(DEPLOYMENT, "shop", {"spec": {"replicas": 4}}, subresource="scale")
    shop.api.merge(DEPLOYMENT, "shop", {"metadata": {"annotations": {"example.com/note": "by a controller"}}})
    after = until(target, lambda now: now.capacity == 4 and now.in_flight is None)
    assert after.seen == before.seen
    target.write_stamp(shop.stamp(before), before.seen)


@pytest.mark.parametrize("resource", ["deployments", "secrets"])
def test_another_writer_between_two_of_our_writes(shop: KubePlace, kube_rig: KubeRig, resource: str) -> None:
    """Somebody with a higher epoch comes in between: this run's later write is refused, theirs stays."""
    shop.rolls_out(shop.release("one"))
    shop.begins()
    theirs = KubePlace(shop.namespace, kube_rig.kubeconfig())
    theirs.epoch, theirs.number = shop.epoch, shop.number
    target, two = shop.rolling(), shop.release("two")
    now = target.observe()
    at_which = 2 if resource == "deployments" else 1

    def overtake(_: object) -> None:
        theirs.begins()
        other = theirs.rolling()
        seen = other.observe()
        other.write_stamp(theirs.stamp(seen), seen.seen)

    with (
        kube_rig.gate.meanwhile(shop.namespace, overtake, at_which, resource=resource),
        pytest.raises(Conflict),
    ):
        target.replace(two, shop.stamp(now), now.seen)
    now = target.observe()
    assert serving(now) == {1: 100}
    assert now.stamp.epoch == theirs.epoch


def test_a_first_release_that_was_overtaken_does_not_write_over_the_other_one(
    shop: KubePlace, kube_rig: KubeRig
) -> None:
    """It had been in the fence already, and there was no Deployment yet whose version could be compared."""
    shop.begins()
    theirs = KubePlace(shop.namespace, kube_rig.kubeconfig())
    theirs.epoch, theirs.number = shop.epoch, 1
    target, ours = shop.rolling(), shop.release("one")
    now = target.observe()
    with (
        kube_rig.gate.meanwhile(
            shop.namespace, lambda _: theirs.rolls_out(theirs.release("two")), 1, resource="deployments"
        ),
        pytest.raises(Conflict),
    ):
        target.replace(ours, shop.stamp(now), now.seen)
    now = target.observe()
    assert (serving(now), now.stamp.epoch) == ({2: 100}, theirs.epoch)


def test_two_shapes_at_once_one_is_refused(shop: KubePlace, kube_rig: KubeRig) -> None:
    """Each begins with another object where it stands alone; where both are, both begin with the Service, too."""
    shop.rolls_out(shop.release("one"))
    shop.goes_over(shop.release("two"))
    theirs = KubePlace(shop.namespace, kube_rig.kubeconfig())
    theirs.epoch, theirs.number = shop.epoch, shop.number
    theirs.begins()
    target = shop.weighted()
    now = target.observe()
    (one,) = [found for found in now.revisions if found.number == 1]

    def overtake(_: object) -> None:
        other = theirs.rolling()
        seen = other.observe()
        other.write_stamp(theirs.stamp(seen), seen.seen)

    with kube_rig.gate.meanwhile(shop.namespace, overtake, 1, resource="services"), pytest.raises(Conflict):
        target.shift({one.name: 100}, shop.stamp(now), now.seen)
    assert serving(shop.weighted().observe()) == {2: 100}


def test_two_first_releases_at_once_one_is_refused(shop: KubePlace) -> None:
    first, second = shop.rolling(), shop.rolling()
    one, two = shop.release("one"), shop.release("two")
    now = first.observe()
    ended: list[str] = []

    def bring(target: RollingTarget, release: Release, epoch: int) -> None:
        try:
            target.replace(release, shop.stamp(now, epoch=epoch), now.seen)
            ended.append("done")
        except Conflict:
            ended.append("refused")

    threads = [
        threading.Thread(target=bring, args=(first, one, 1)),
        threading.Thread(target=bring, args=(second, two, 2)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["done", "refused"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_release_killed_at_any_write(shop: KubePlace, kube_rig: KubeRig, when: str) -> None:
    shop.sets(scale={"min": 1, "max": 4})
    shop.own["ingress"] = {"host": "0.example.com"}
    shop.rolls_out(shop.release("one"))
    stable = 1
    for which in range(1, MOST_WRITES):
        shop.sets(run={"env": {"MODE": f"{when} {which}"}}, scale={"min": 1, "max": 4 + which})
        shop.own["ingress"] = {"host": f"{which}.example.com"}
        release = shop.release(f"two-{which}")
        shop.begins()
        target = shop.rolling()
        now = target.observe()
        killed = _killed(kube_rig, shop, which, when, partial(target.replace, release, shop.stamp(now), now.seen))
        now = shop.rolling().observe()
        assert sum(serving(now).values()) == 100, f"nothing serves after write {which}: {now}"
        if now.in_flight is None and serving(now) == {stable: 100}:
            assert now.drift == (), f"write {which} left {now.drift}"
        shop.rolls_out(release)
        stable = release.number
        now = shop.rolling().observe()
        assert (serving(now), now.drift, now.in_flight) == ({stable: 100}, (), None)
        if not killed:
            assert which > 4, "a release has more writes than these"
            return
    raise AssertionError("there was no end of writes")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_of_shape_killed_at_any_write(shop: KubePlace, kube_rig: KubeRig, when: str) -> None:
    """From one Deployment to one per release, creation and shift."""
    shop.rolls_out(shop.release("one"))
    shop.sets(rollout={"strategy": "blue-green"})
    stable = 1
    for which in range(1, MOST_WRITES):
        release = shop.release(f"two-{which}")
        shop.begins()
        killed = _killed(kube_rig, shop, which, when, partial(_brings, shop, shop.weighted(), release))
        now = shop.weighted().observe()
        assert serving(now) in ({stable: 100}, {release.number: 100}), f"write {which} left {serving(now)}"
        assert now.drift == ()
        shop.goes_over(release)
        stable = release.number
        assert serving(shop.weighted().observe()) == {stable: 100}
        if not killed:
            assert which > 4
            return
    raise AssertionError("there was no end of writes")


@pytest.mark.parametrize("how", ["cut", "cut-after"])
def test_a_lost_answer_is_never_written_again_blindly(shop: KubePlace, kube_rig: KubeRig, how: str) -> None:
    shop.rolls_out(shop.release("one"))
    shop.begins()
    target, two = shop.rolling(), shop.release("two")
    now = target.observe()
    kube_rig.gate.fail(shop.namespace, how, verb="patch", resource="deployments", times=1)  # type: ignore[arg-type]
    with pytest.raises(Transient):
        target.replace(two, shop.stamp(now), now.seen)
    now = target.observe()
    revision = target.replace(two, shop.stamp(now), now.seen)
    until_ready(target, revision)
    assert serving(until(target, lambda now: now.in_flight is None)) == {2: 100}


def test_reads_survive_an_api_server_that_comes_back(shop: KubePlace, kube_rig: KubeRig) -> None:
    shop.rolls_out(shop.release("one"))
    target = shop.rolling()
    for status in (500, 503, 429):
        kube_rig.gate.fail(shop.namespace, status, verb="get", resource="services", times=2)
        kube_rig.gate.fail(shop.namespace, "cut", verb="list", resource="deployments", times=1)
        assert serving(target.observe()) == {1: 100}


def test_a_restarted_api_server_in_the_middle_of_a_rollout(shop: KubePlace, kube_rig: KubeRig) -> None:
    kube_rig.nodes.behave("slow", namespace=shop.namespace, seconds=2)
    shop.rolls_out(shop.release("one"))
    shop.begins()
    target, two = shop.rolling(), shop.release("two")
    now = target.observe()
    revision = target.replace(two, shop.stamp(now), now.seen)
    kube_rig.restart_apiserver()
    until_ready(target, revision)
    now = until(target, lambda now: now.in_flight is None)
    assert serving(now) == {2: 100}
    assert at(shop.api.get(SERVICE, "shop"), "spec", "selector", "shipper.dev/workload") == "shop"


def _brings(shop: KubePlace, target: WeightedTarget, release: Release) -> None:
    now = target.observe()
    revision = target.create(release, shop.stamp(now), now.seen)
    until_ready(target, revision)
    now = target.observe()
    target.shift({revision.name: 100}, shop.stamp(now), now.seen)


def _killed(kube_rig: KubeRig, shop: KubePlace, which: int, when: str, run: Callable[[], object]) -> bool:
    """Carry out, and end the connection at the `which`-th write; whether there was one."""
    kube_rig.gate.hold(shop.namespace, which, when)  # type: ignore[arg-type]
    ended = threading.Event()

    def carry_out() -> None:
        with contextlib.suppress(PlatformError, AssertionError):
            run()
        ended.set()

    running = threading.Thread(target=carry_out, daemon=True)
    running.start()
    held = None
    while held is None and not ended.is_set():
        held = kube_rig.gate.held(shop.namespace, seconds=0.5)
    kube_rig.gate.release(shop.namespace, carry=False)
    assert ended.wait(60), "it did not end"
    return held is not None
