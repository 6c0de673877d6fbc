"""What `make test` says in its summary is what pytest reported."""

from pathlib import Path

import pytest

from tools import test as tiers

pytestmark = pytest.mark.unit

REPORT = """<?xml version="1.0"?><testsuites>
<testsuite name="pytest" tests="7" failures="1" errors="1" skipped="2"/></testsuites>"""


def test_failures_and_errors_are_counted_together_and_skips_apart(tmp_path: Path) -> None:
    report = tmp_path / "unit.xml"
    report.write_text(REPORT)
    assert tiers.counts(report) == (7, 2, 2)


def test_a_tier_that_wrote_no_report_counts_as_nothing(tmp_path: Path) -> None:
    assert tiers.counts(tmp_path / "none.xml") == (0, 0, 0)


def test_an_unknown_tier_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiers.main(["units"]) == 2
    assert "no such tier: units" in capsys.readouterr().err


def test_a_failed_line_stands_out() -> None:
    assert str(tiers.Line("e2e", False, "1 failed", 2.0)).startswith("FAILED e2e")
