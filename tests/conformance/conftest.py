"""Which scenarios were played on which target, as one table at the end of the run."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.rollout import writes
from tests.conformance import playing


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that is made to fail for ever does not come back: how often it is asked counts, not how long."""
    monkeypatch.setattr(writes, "LONGEST_PAUSE", 0.05)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print it."""
    playing.show(terminalreporter)
