"""seal, select and keep_image: called as the plain functions that they are."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.errors import LedgerError, RollbackImpossible, UsageError
from shipper.ledger.opening import open_ledger
from shipper.model import (
    Approval,
    Deployment,
    ImageScan,
    Readiness,
    Sealed,
    ServiceSettings,
    Settings,
    Smoke,
    Verdict,
    Wanted,
    new_release_id,
)
from shipper.model.all import All
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.clock import WallClock
from shipper.pipeline.remarks import Remarks
from shipper.stages.keep_image import keep_image
from shipper.stages.seal import seal
from shipper.stages.select import select
from shipper.targets.conformance.memory import Memory
from shipper.targets.conformance.memory_splits import SplittingTarget
from shipper.targets.conformance.values import Values

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64
READY = Readiness(target="here", kind="memory", platform="linux/amd64")


def ledger() -> Any:
    """A log of its own."""
    return open_ledger(f"memory://{new_release_id()}", service="web", environment="dev", target="here", environ={})


def target() -> SplittingTarget:
    """Nothing serves yet."""
    return SplittingTarget(Memory("web"), Values({}))


def settings() -> Settings:
    return Settings(service=ServiceSettings(service="web", root="/"))


def deployment() -> Deployment:
    return Deployment(
        changed=True,
        release_id="01J",
        number=1,
        fingerprint=DIGEST,
        revision="web-1",
        address=None,
        verdict=Verdict(ok=True, proof="identity"),
        image="web:1",
        seconds=1.0,
    )


def sealed(into: Any, told: Remarks) -> Sealed:
    return sealed_by(into, told, RunCancellation())


def sealed_by(into: Any, told: Remarks, cancel: RunCancellation) -> Sealed:
    approval = Approval(config_digest=DIGEST, policy=DIGEST, evidence={}, remarks=("one low",))
    evidence = [ImageScan(subject=DIGEST, status="passed"), Smoke(subject=DIGEST, status="passed")]
    return seal(deployment(), All([approval]), All(evidence), target(), into, told, cancel, WallClock())


def test_what_an_image_was_approved_on_is_kept_with_its_digest() -> None:
    log = ledger()
    assert sealed(log, Remarks()).remarks == ("one low",)
    kept = log.evidence(DIGEST)
    assert set(kept["evidence"]) == {"ImageScan", "Smoke"}
    assert kept["approval"]["value"]["config_digest"] == DIGEST


def test_a_ledger_that_does_not_take_it_is_told_and_fails_nobody() -> None:
    class Broken:
        url = "s3://gone"

        def put_evidence(self, config_digest: str, evidence: Any) -> None:
            raise LedgerError("no such bucket")

        def state(self) -> Any:
            raise LedgerError("no such bucket")

    told = Remarks()
    found = sealed(Broken(), told)
    assert told.texts == ["the evidence could not be kept in the ledger: no such bucket"]
    assert found.rollback.startswith("not possible: ")


def test_nothing_was_judged_in_a_rollback_and_nothing_is_kept() -> None:
    log = ledger()
    found = seal(deployment(), All(()), All(()), target(), log, Remarks(), RunCancellation(), WallClock())
    assert (found.remarks, log.evidence(DIGEST)) == ((), None)


def test_where_nothing_was_released_there_is_nothing_to_select() -> None:
    with pytest.raises(RollbackImpossible, match="nothing was released here before"):
        select(Wanted(), settings(), target(), ledger(), Remarks(), WallClock())


def test_where_nothing_serves_there_is_no_image_to_keep() -> None:
    with pytest.raises(UsageError, match="there is no image to keep: nothing serves"):
        keep_image(READY, settings(), target(), ledger(), Remarks())
