"""seal, when a signal comes while it asks a platform or a ledger that is silent: the new release serves, and that is
what the run says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shipper.errors import NotRecorded
from shipper.model import Deployment, Product, Sealed
from shipper.model.all import All
from shipper.pipeline import Events, RunCancellation, WallClock, run
from shipper.pipeline.cancellation import interrupted
from shipper.pipeline.pipeline import assemble
from shipper.pipeline.remarks import Remarks
from shipper.stages.seal import seal
from tests.unit.stages.test_sealing import deployment, ledger, sealed_by, target

pytestmark = pytest.mark.unit

SEALING = assemble("sealing", goal=Sealed, seeds=[Deployment], stages=[seal])


@pytest.fixture
def never_answers() -> Iterator[Callable[[], object]]:
    """Calls that hang until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def sealing(place: Any, cancel: RunCancellation) -> Product:
    clock = WallClock()
    services = {"target": place, "ledger": ledger(), "clock": clock}
    events = Events("01RUN", [], clock)
    return run(SEALING, seeds=(deployment(),), services=services, events=events, cancel=cancel, clock=clock)


def test_a_signal_while_the_platform_is_silent_leaves_out_the_way_back_and_is_no_failure(
    never_answers: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel, place = RunCancellation(), target()

    def hangs() -> None:
        cancel.cancel(interrupted(), within=0.6)
        never_answers()

    monkeypatch.setattr(place, "observe", hangs)
    found = sealing(place, cancel)
    assert isinstance(found, Sealed)
    assert found.rollback == "not known: no time was left"


def test_a_signal_while_the_ledger_is_silent_leaves_out_the_evidence_and_tells_it(
    never_answers: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel, log, told = RunCancellation(), ledger(), Remarks()

    def hangs(*_: Any) -> None:
        cancel.cancel(interrupted(), within=0.4)
        never_answers()

    monkeypatch.setattr(type(log), "put_evidence", hangs)
    assert sealed_by(log, told, cancel).deployment == deployment()
    assert told.texts == ["no time was left to keep the evidence in the ledger: it may be there all the same"]


def test_a_bug_after_the_proof_says_that_the_release_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    place = target()
    monkeypatch.setattr(place, "observe", lambda: 1 / 0)
    with pytest.raises(NotRecorded, match="did not foresee: ZeroDivisionError") as caught:
        sealing(place, RunCancellation())
    assert (caught.value.exit_code, caught.value.cause) == (24, "bug")


def test_seal_that_cannot_be_stopped_says_that_the_release_serves(
    never_answers: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a store's library that holds on to everything."""
    cancel, place = RunCancellation(), target()

    def hangs() -> None:
        cancel.cancel(interrupted(), within=0.3)
        never_answers()

    monkeypatch.setattr("shipper.rollout.patience.abandonable", lambda call, *_: call())
    monkeypatch.setattr(place, "observe", hangs)
    with pytest.raises(NotRecorded) as caught:
        sealing(place, cancel)
    assert caught.value.exit_code == 24


def test_nothing_is_left_out_when_nobody_waits() -> None:
    found = seal(deployment(), All(()), All(()), target(), ledger(), Remarks(), RunCancellation(), WallClock())
    assert found.rollback.startswith("not possible: ")
