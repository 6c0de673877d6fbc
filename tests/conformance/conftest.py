"""Which scenarios were played on which target, as one table at the end of the run."""

from __future__ import annotations

from typing import Any

from tests.conformance import playing


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print it."""
    playing.show(terminalreporter)
