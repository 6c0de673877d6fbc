"""Knative says what is routed before the ingress has it: until then nothing is taken for done."""

from __future__ import annotations

import pytest

from shipper.model import Stamp
from shipper.rollout.verify import verify
from shipper.targets import TargetContext, Transient
from shipper_targets.knative import routing
from shipper_targets.knative.adapter import KnativeTarget
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.traffic import is_unsettled, targets
from tests.unit.knative.knative_calls import FakeCalls, serves
from tests.unit.knative.knative_objects import ID, PLACE, own, release_of, revision_of, serving, settings_of
from tests.unit.rollout.world import Cancel, FakeClock

pytestmark = pytest.mark.unit

OLD, NEW = release_of(number=4, release_id=ID[:-1] + "A"), release_of(number=5)
OLD_NAME, NEW_NAME = name_of_release("shop", OLD), name_of_release("shop", NEW)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> FakeCalls:
    monkeypatch.setattr(routing, "ROUTED", 0.2)
    monkeypatch.setattr("shipper.rollout.verify.PATIENCE", 0.0)
    return serves(OLD, revision_of(OLD), revision_of(NEW))


@pytest.fixture
def target(calls: FakeCalls) -> KnativeTarget:
    target = KnativeTarget(TargetContext("kn", settings_of(), PLACE, None), own())  # type: ignore[arg-type]
    target.__dict__["_calls"] = calls
    return target


def shift(target: KnativeTarget) -> None:
    target.shift({NEW_NAME: 100}, Stamp(epoch=9, highest=5), target.observe().seen)


def test_what_the_ingress_has_not_taken_is_not_done(target: KnativeTarget, calls: FakeCalls) -> None:
    calls.ingress = False
    with pytest.raises(Transient, match=r"is not routed after 0\.2 s: Ingress has not yet been reconciled"):
        shift(target)

    now = target.observe()
    assert {one.name: one.weight for one in now.serving} == {NEW_NAME: 100}  # so says the platform, and
    assert now.unsettled == "the routes of shop"


def test_it_is_no_proof_of_anything(target: KnativeTarget, calls: FakeCalls) -> None:
    calls.ingress = False
    with pytest.raises(Transient):
        shift(target)
    settings = settings_of()
    verdict = verify(target, NEW_NAME, settings.health, settings.smoke, Cancel(FakeClock()), routing_only=True)
    assert (verdict.ok, verdict.proof) == (False, "none")
    assert "still at work on the routes of shop" in verdict.reason


def test_asked_again_it_is_written_again_and_not_waited_for_anew(target: KnativeTarget, calls: FakeCalls) -> None:
    calls.ingress = False
    with pytest.raises(Transient):
        shift(target)
    written = len(calls.patches)
    with pytest.raises(Transient):
        shift(target)
    assert len(calls.patches) == written + 1

    calls.ingress = True
    shift(target)
    assert target.observe().unsettled is None


def test_a_tag_whose_revision_is_starting_leaves_the_routes_settled() -> None:
    service = serving(OLD, traffic=targets({OLD_NAME: 100}, {"n5": NEW_NAME}))
    service["status"]["conditions"] = [{"type": "RoutesReady", "status": "Unknown", "reason": "RevisionMissing"}]
    assert not is_unsettled(service)


def test_what_serves_and_crashes_by_now_is_routed_as_it_was() -> None:
    service = serving(OLD, traffic=targets({OLD_NAME: 100}, {}))
    service["status"]["conditions"] = [{"type": "RoutesReady", "status": "False", "reason": "RevisionMissing"}]
    assert not is_unsettled(service)


def test_an_ingress_that_refuses_has_not_taken_it() -> None:
    service = serving(OLD, traffic=targets({OLD_NAME: 100}, {}))
    service["status"]["conditions"] = [{"type": "RoutesReady", "status": "False", "reason": "NotOwned"}]
    assert is_unsettled(service)
