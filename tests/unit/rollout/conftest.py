"""No pauses in these tests: the platform is in memory, and the clock is ours."""

from __future__ import annotations

import pytest

from shipper.rollout import overtaken, putting_back, writes
from shipper.targets.conformance import memory
from tests.unit.rollout.world import World, replacing_world, splitting_world


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "PAUSE", 0.0)
    monkeypatch.setattr(putting_back, "LOOK", 0.0)
    monkeypatch.setattr(overtaken, "LOOK", 0.0)
    monkeypatch.setattr(memory, "PAUSE", 0.0)
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def world() -> World:
    """A target that splits traffic, and a ledger."""
    return splitting_world()


@pytest.fixture
def replacing() -> World:
    """A target that replaces, and a ledger."""
    return replacing_world()
