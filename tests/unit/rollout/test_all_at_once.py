"""All at once, and what is put back when it does not work."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from shipper.errors import (
    Conflict,
    CredentialsError,
    Denied,
    DriftError,
    Interrupted,
    LockedError,
    NotPutBack,
    PolicyError,
    PutBack,
    RolloutFailed,
    ShipperError,
    Transient,
    UnreachableError,
)
from shipper.model import (
    Deployable,
    Deployment,
    Dossier,
    Drift,
    Event,
    ImageRef,
    Progress,
    Revision,
    ServiceSettings,
    Settings,
    Stamp,
    TrafficShifted,
    Verdict,
)
from shipper.rollout import all_at_once
from tests.unit.rollout.memory_target import MemoryTarget

pytestmark = pytest.mark.unit


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.remarks: list[str] = []

    def progress(self, text: str, *_: Any) -> None: ...
    def log(self, line: str, stream: str = "stdout") -> None: ...
    def evidence(self, evidence: Any) -> None: ...

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def weights(self) -> list[dict[str, int]]:
        return [event.weights for event in self.events if isinstance(event, TrafficShifted)]


class NoSecrets:
    def run(self) -> tuple[()]:
        return ()

    def build(self) -> tuple[()]:
        return ()

    def versions(self) -> dict[str, str]:
        return {}


class Cancel:
    """Cancelled at the n-th check."""

    def __init__(self, at: int | None = None) -> None:
        self.checks = 0
        self.at = at

    @property
    def cancelled(self) -> bool:
        return self.at is not None and self.checks >= self.at

    def check(self) -> None:
        self.checks += 1
        if self.cancelled:
            raise Interrupted("interrupted")

    def wait(self, seconds: float) -> bool:
        return self.cancelled

    def on_cancel(self, callback: Any) -> Any:
        raise AssertionError("not used")


class Ticking:
    """A clock that goes on by a second with every look."""

    def __init__(self) -> None:
        self.ticks = itertools.count(1_700_000_000)

    def now(self) -> float:
        return float(next(self.ticks))

    monotonic = now


def image(letter: str) -> Deployable:
    digest = "sha256:" + letter * 64
    return Deployable(
        images={"main": ImageRef(config_digest=digest, reference=f"web:{letter}", platform="linux/amd64")},
        published=False,
    )


def release(target: MemoryTarget, letter: str, cancel: Cancel | None = None, told: Told | None = None) -> Deployment:
    settings = Settings(service=ServiceSettings(service="web", root="/somewhere"))
    return all_at_once.roll_out(
        image(letter), settings, "docker", target, NoSecrets(), told or Told(), cancel or Cancel(), Ticking()
    )


def failed(cause: str) -> list[Progress]:
    dossier = Dossier(cause=cause, reason="exited with status 1", log_tail=("boom",), hint="read the log")
    return [Progress(state="waiting"), Progress(state="failed", dossier=dossier)]


def test_the_first_release_serves_and_is_number_one() -> None:
    target = MemoryTarget()
    deployment = release(target, "a")
    assert (deployment.number, deployment.changed, deployment.previous) == (1, True, None)
    assert target.weights == {"web-1": 100}
    assert deployment.verdict == Verdict(ok=True, proof="routing")


def test_a_second_release_takes_over_and_the_first_stays_as_the_way_back() -> None:
    target = MemoryTarget()
    release(target, "a")
    deployment = release(target, "b")
    assert (deployment.number, deployment.previous) == (2, "web-1")
    assert target.weights == {"web-2": 100}
    assert target.held["web-1"].state == "stopped"


def test_of_three_releases_the_oldest_is_removed() -> None:
    target = MemoryTarget()
    for letter in "abc":
        release(target, letter)
    assert sorted(target.held) == ["web-2", "web-3"]


def test_another_runs_newer_revision_is_left_alone() -> None:
    target = MemoryTarget()
    release(target, "a")

    def another_run_creates() -> None:
        target.held["web-9"] = Revision(name="web-9", release="another", number=9)
        target.version += 1

    target.after["progress"] = [another_run_creates]
    assert release(target, "b").number == 2
    assert sorted(target.held) == ["web-1", "web-2", "web-9"]


def test_the_same_release_again_is_nothing_to_do() -> None:
    target = MemoryTarget()
    release(target, "a")
    target.calls.clear()
    deployment = release(target, "a")
    assert not deployment.changed
    assert set(target.calls) == {"observe"}


@pytest.mark.parametrize("cause", ["crashed", "out-of-memory", "wrong-architecture"])
def test_a_revision_that_cannot_heal_leaves_what_served(cause: str) -> None:
    target = MemoryTarget()
    release(target, "a")
    target.steps = failed(cause)
    with pytest.raises(RolloutFailed) as caught:
        release(target, "b")
    assert (caught.value.exit_code, caught.value.cause) == (20, cause)
    assert caught.value.details == ("boom",)
    assert target.weights == {"web-1": 100}
    assert list(target.held) == ["web-1"]


def test_a_revision_that_never_gets_ready_is_given_up_after_its_budget() -> None:
    target = MemoryTarget(steps=[])
    with pytest.raises(RolloutFailed, match="not ready within 60 s: still loading") as caught:
        release(target, "a")
    assert caught.value.details == ("loading the model",)
    assert target.held == {}


def test_when_verification_fails_traffic_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    target, told = MemoryTarget(), Told()
    release(target, "a")
    verdict = Verdict(ok=False, proof="routing", reason="ready at /healthz: 500 instead of 200")
    monkeypatch.setattr(all_at_once, "verify", lambda *_: verdict)
    with pytest.raises(PutBack) as caught:
        release(target, "b", told=told)
    assert caught.value.exit_code == 21
    assert told.weights() == [{"web-2": 100}, {"web-1": 100}]
    assert target.weights == {"web-1": 100}
    assert list(target.held) == ["web-1"]


def test_a_first_release_that_is_not_verified_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    target = MemoryTarget()
    monkeypatch.setattr(all_at_once, "verify", lambda *_: Verdict(ok=False, proof="routing", reason="404"))
    with pytest.raises(PutBack):
        release(target, "a")
    assert (target.weights, target.held) == ({}, {})


def test_when_putting_back_fails_a_person_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    target = MemoryTarget()
    release(target, "a")

    def lose_the_platform(*_: Any) -> Verdict:
        target.fail["observe"] = Transient("no route to host")
        return Verdict(ok=False, proof="none", reason="no answer")

    monkeypatch.setattr(all_at_once, "verify", lose_the_platform)
    with pytest.raises(NotPutBack, match="putting back is not confirmed: no route to host") as caught:
        release(target, "b")
    assert caught.value.exit_code == 22
    assert "web-1 100 %" in caught.value.hint


@pytest.mark.parametrize("at", range(1, 6))
def test_interrupted_at_any_check_what_served_serves(at: int) -> None:
    target = MemoryTarget()
    release(target, "a")
    cancel = Cancel(at=at)
    try:
        release(target, "b", cancel=cancel)
    except Interrupted:
        assert target.weights == {"web-1": 100}
        assert list(target.held) == ["web-1"]
    else:
        assert cancel.checks < at, "a check was passed although the run was cancelled"
        assert target.weights == {"web-2": 100}


def test_a_conflict_is_decided_anew() -> None:
    target = MemoryTarget()
    release(target, "a")

    def somebody_writes() -> None:
        target.version += 1

    target.after["create"] = [somebody_writes]
    assert release(target, "b").number == 2
    assert target.calls.count("create") == 3


def test_traffic_that_somebody_else_moved_is_not_overwritten() -> None:
    target = MemoryTarget()
    release(target, "a")
    release(target, "b")

    def somebody_rolls_back() -> None:
        target.weights = {"web-1": 100}
        target.version += 1

    target.after["progress"] = [somebody_rolls_back]
    with pytest.raises(ShipperError, match="somebody else moved traffic meanwhile, now web-1 100 %") as caught:
        release(target, "c")
    assert caught.value.exit_code == 31
    assert target.weights == {"web-1": 100}
    assert "web-3" not in target.held


def test_endless_conflicts_end() -> None:
    target = MemoryTarget()
    target.fail["create"] = Conflict("always")
    with pytest.raises(RolloutFailed, match="another writer changed the target 5 times in a row"):
        release(target, "a")


@pytest.mark.parametrize(
    ("error", "ours"),
    [(Denied("socket"), CredentialsError), (Transient("timeout"), UnreachableError), (Conflict("x"), LockedError)],
)
def test_what_keeps_us_from_observing_is_told_before_anything_is_written(
    error: Exception, ours: type[ShipperError]
) -> None:
    target = MemoryTarget()
    target.fail["observe"] = error  # type: ignore[assignment]
    with pytest.raises(ours):
        release(target, "a")
    assert target.calls == ["observe"]


def test_drift_an_operation_in_flight_and_quarantine_are_refused_before_writing() -> None:
    with pytest.raises(DriftError) as caught:
        release(MemoryTarget(drift=(Drift(field="weights", ours="100", found="90"),)), "a")
    assert caught.value.details == ("weights: 100 -> 90",)
    with pytest.raises(LockedError):
        release(MemoryTarget(in_flight="op-7"), "a")
    target = MemoryTarget()
    fingerprint = release(target, "a").fingerprint
    target.remove()
    target.stamp = Stamp(quarantined=(fingerprint.removeprefix("sha256:")[:12],))
    with pytest.raises(PolicyError):
        release(target, "a")


def test_what_cannot_be_retired_is_told_and_fails_nobody() -> None:
    target, told = MemoryTarget(), Told()
    release(target, "a")
    target.fail["retire"] = Transient("busy")
    assert release(target, "b", told=told).changed
    assert "could not retire web-1: busy" in told.remarks[0]
