"""Which scenarios were played on which target, as one table at the end of the run."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets.conformance import table

RESULTS = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Nothing was played yet."""
    config.stash[RESULTS] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember how a scenario ended, from the properties of its test."""
    outcome = yield
    report = outcome.get_result()
    played = dict(item.user_properties)
    if "scenario" not in played or (report.when != "call" and report.passed):
        return
    said = {"passed": "passed", "failed": "FAILED"}.get(report.outcome, played.get("reason", "skipped"))
    item.config.stash[RESULTS].setdefault(str(played["kind"]), {})[str(played["scenario"])] = str(said)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print it."""
    results = config.stash[RESULTS]
    if results:
        terminalreporter.section("conformance")
        terminalreporter.write_line(table(results))
