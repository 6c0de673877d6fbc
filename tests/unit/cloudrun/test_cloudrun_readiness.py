"""A container's last words come late; what has failed is told with them, or after a while without."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import run_v2

from shipper.errors import Denied, PlatformError
from shipper.model import Progress, Revision
from shipper_targets.cloudrun import readiness
from shipper_targets.cloudrun.readiness import Readiness
from tests.unit.cloudrun.rendering import settings_of

pytestmark = pytest.mark.unit

REVISION = Revision(name="shop-dev-7-wmrerd", release="x", number=7)


class Platform:
    """A revision that has failed, and a log that has `late` empty answers before its lines."""

    def __init__(self, reason: str, late: int = 0, refusal: PlatformError | None = None) -> None:
        condition = run_v2.Condition(
            type_="Ready", state="CONDITION_FAILED", message="failed to start and listen on the port"
        )
        setattr(condition, "revision_reason" if reason.startswith("HEALTH") else "reason", reason)
        self.found = run_v2.Revision(name=f"x/revisions/{REVISION.name}", conditions=[condition])
        self.late, self.refusal, self.asked = late, refusal, 0

    def revision(self, _: str) -> run_v2.Revision:
        return self.found

    def last(self, _: str, lines: int) -> list[str]:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        return [] if self.asked <= self.late else ["ModuleNotFoundError: No module named 'torch'"][:lines]


def steps(platform: Any, monkeypatch: pytest.MonkeyPatch, delay: float = 60.0) -> list[Progress]:
    monkeypatch.setattr(readiness, "POLL", 0.0)
    monkeypatch.setattr(readiness, "LOG_DELAY", delay)
    return list(Readiness(platform, platform, settings_of()).follow(REVISION))


def test_the_log_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform("HEALTH_CHECK_CONTAINER_ERROR", late=2)
    found = steps(platform, monkeypatch)
    assert [step.state for step in found] == ["waiting", "waiting", "failed"]
    assert "torch" in found[-1].reason


def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    (step,) = steps(Platform("HEALTH_CHECK_CONTAINER_ERROR", late=10**6), monkeypatch, delay=0.0)
    assert (step.state, step.dossier and step.dossier.cause) == ("failed", "crashed")


def test_where_it_says_nothing_new_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    (step,) = steps(Platform("CONTAINER_MISSING", late=10**6), monkeypatch)
    assert step.state == "failed"


def test_where_it_may_not_be_read_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    (step,) = steps(Platform("HEALTH_CHECK_CONTAINER_ERROR", refusal=Denied("no")), monkeypatch)
    assert step.dossier is not None
    assert "could not be read" in step.dossier.hint
