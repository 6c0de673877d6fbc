"""What a target has to say of what is there, and that is no drift, is told by every command that looks."""

from __future__ import annotations

import pytest

from shipper.model import Deployment, Observation
from shipper.targets.conformance.memory_target import MemoryTarget
from tests.unit.operations.imaginary import Laptop

pytestmark = pytest.mark.unit

ADDED = "somebody added the variable EVIL"


@pytest.fixture
def changed(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> Laptop:
    """Two releases; a person has changed something beside our fields since."""
    for text in ("one", "two"):
        assert isinstance(laptop.release(text, {"image": {"repository": "registry.example.com/shop"}}), Deployment)
    observe = MemoryTarget.observe

    def remarking(self: MemoryTarget) -> Observation:
        return observe(self).model_copy(update={"remarks": (ADDED,)})

    monkeypatch.setattr(MemoryTarget, "observe", remarking)
    return laptop


@pytest.mark.parametrize("command", ["status", "plan", "rollback --dry-run", "rollback"])
def test_it_is_told(changed: Laptop, command: str) -> None:
    ended = changed.run(*command.split(), cwd=changed.project)
    assert ended.code == 0, ended
    assert ADDED in ended.out + ended.err
