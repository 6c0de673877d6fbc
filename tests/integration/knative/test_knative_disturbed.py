"""Lost answers, kills at each write, an API server that goes away: what served serves, and the next run finishes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

import pytest

from shipper.targets import PlatformError, Transient
from shipper_targets.kubernetes.values import objects, text
from tests.integration.knative.knative_place import KnativePlace, image_of, weights

pytestmark = pytest.mark.integration

SERVICES = "services"


@pytest.fixture
def gated(place: KnativePlace) -> KnativePlace:
    """Everything that the target asks goes through the rig's gate."""
    place.own["kubeconfig"] = str(place.rig.kubeconfig(gate=True))
    return place


@pytest.mark.parametrize("how", ["cut", "cut-after"])
def test_a_shift_whose_answer_is_lost_is_decided_anew(gated: KnativePlace, how: Literal["cut", "cut-after"]) -> None:
    gated.goes_out(gated.release())
    second = gated.creates(gated.release("better"))
    assert gated.follows(second).state == "ready"
    gated.rig.gate.fail(gated.namespace, how, verb="patch", resource=f"{SERVICES}.serving.knative.dev")

    with pytest.raises(Transient):
        gated.shifts(second)
    gated.shifts(second, 1, 2)

    now = gated.target().observe()
    assert (weights(now), now.unsettled, now.drift) == ({second.name: 100}, None, ())


@pytest.mark.parametrize("how", ["cut", "cut-after"])
def test_a_create_whose_answer_is_lost_makes_one_revision(
    gated: KnativePlace, how: Literal["cut", "cut-after"]
) -> None:
    gated.goes_out(gated.release())
    release = gated.release("better")
    gated.rig.gate.fail(gated.namespace, how, verb="patch", resource=f"{SERVICES}.serving.knative.dev")

    with pytest.raises(Transient):
        gated.creates(release)
    revision = gated.creates(release)

    assert gated.follows(revision).state == "ready"
    assert [one.release for one in gated.target().observe().revisions].count(release.id) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_each_write_what_serves_serves_and_the_next_run_finishes(
    gated: KnativePlace, when: Literal["before", "after"]
) -> None:
    stable = gated.goes_out(gated.release()).name
    for which in range(1, 12):
        gated.epoch += 1
        release = gated.release(f"better-{which}")
        killed = _killed(gated, which, when, lambda release=release: gated.goes_out(release))  # type: ignore[misc]

        now = gated.until(lambda now: now.unsettled is None)
        (serves,) = weights(now)
        assert serves == stable or serves.startswith(f"shop-{release.number}-"), now
        gated.epoch += 1
        stable = gated.goes_out(gated.release(f"next-{which}")).name
        assert weights(gated.target().observe()) == {stable: 100}
        tags = [text(one, "tag") for one in objects(gated.service(), "spec", "traffic") if text(one, "tag")]
        assert tags == []
        if not killed:
            assert which > 3  # a revision, its traffic, its tag
            return
    raise AssertionError("there was no end of writes")


def test_an_api_server_that_restarts_in_a_rollout(place: KnativePlace) -> None:
    place.goes_out(place.release())
    place.rig.nodes.behave("slow", namespace=place.namespace, image=image_of("slow").reference, seconds=2)
    target, release = place.target(), place.release("slow")
    revision = target.create(release, place.stamp(), target.observe().seen)
    steps = target.progress(revision)
    assert next(steps).state == "waiting"

    place.rig.restart_apiserver()

    assert [*steps][-1].state == "ready"
    target.shift({revision.name: 100}, place.stamp(), target.observe().seen)
    assert weights(place.target().observe()) == {revision.name: 100}


def _killed(place: KnativePlace, which: int, when: Literal["before", "after"], run: Callable[[], object]) -> bool:
    """Carry out, and end the connection at the `which`-th write: whether there was one. Nothing is written after it.

    Raises what a run ended with that nothing was done to.
    """
    gate, ended = place.rig.gate, threading.Event()
    failed: list[BaseException] = []
    gate.hold(place.namespace, which, when)

    def carry_out() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - judged where the test sees it
            failed.append(error)
        finally:
            ended.set()

    threading.Thread(target=carry_out, daemon=True).start()
    held = None
    while held is None and not ended.is_set():
        held = gate.held(place.namespace, seconds=0.5)
    gate.release(place.namespace, carry=when == "after" and held is None)
    assert ended.wait(60), "it did not end"
    for error in failed:
        if held is None or not isinstance(error, (PlatformError, AssertionError)):
            raise error
    return held is not None
