"""Trivy's JSON: what becomes of it, what is never kept, and what is not believed."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.errors import ScannerError
from shipper.scanning import report as module
from shipper.scanning.failure import printable
from shipper.scanning.policy import RANKS
from shipper.scanning.report import Report, read_report

pytestmark = pytest.mark.unit

FLAW = {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", "Severity": "HIGH", "FixedVersion": "2"}


def written(tmp_path: Path, **members: Any) -> Path:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"SchemaVersion": 2, "ArtifactType": "filesystem", **members}))
    return path


def test_the_same_finding_of_two_files_is_one_and_the_worst_comes_first(tmp_path: Path) -> None:
    worse = FLAW | {"Severity": "CRITICAL", "VulnerabilityID": "CVE-2"}
    results = [{"Target": "x", "Vulnerabilities": [FLAW]}, {"Target": "y", "Vulnerabilities": [FLAW, worse]}]
    found = read_report(written(tmp_path, Results=results), "it", "filesystem").findings()
    assert [finding.id for finding in found] == ["CVE-2", "CVE-1"]
    assert found[1].where == "a 1"


@pytest.mark.parametrize("missing", ["VulnerabilityID", "PkgName", "InstalledVersion", "Severity"])
def test_a_finding_that_lacks_something_is_not_passed_over(tmp_path: Path, missing: str) -> None:
    less = {key: value for key, value in FLAW.items() if key != missing}
    with pytest.raises(ScannerError, match=missing):
        read_report(
            written(tmp_path, Results=[{"Target": "x", "Vulnerabilities": [less]}]), "it", "filesystem"
        ).findings()


def test_a_severity_that_we_do_not_know_is_not_passed_over(tmp_path: Path) -> None:
    results = [{"Target": "x", "Vulnerabilities": [FLAW | {"Severity": "APOCALYPTIC"}]}]
    with pytest.raises(ScannerError, match="apocalyptic"):
        read_report(written(tmp_path, Results=results), "it", "filesystem").findings()


def test_a_report_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 10)
    with pytest.raises(ScannerError, match="MB"):
        read_report(written(tmp_path), "it", "filesystem")


def test_nothing_that_repeats_a_secret_is_kept_or_told() -> None:
    layer = {"DiffID": "sha256:1", "CreatedBy": "RUN TOKEN=hunter2"}
    secret = {"RuleID": "r", "Title": "t", "Severity": "LOW", "Match": "hunter2", "Code": "hunter2", "Layer": layer}
    raw = {
        "Metadata": {"ImageID": "i", "ImageConfig": {"config": {"Env": ["TOKEN=hunter2"]}}, "Layers": [layer]},
        "Results": [
            {"Target": "os", "Class": "os-pkgs", "Packages": [{"Name": "a", "Layer": layer}]},
            {"Target": "f", "Class": "secret", "Secrets": [secret]},
            {"Target": "c", "Class": "config", "Misconfigurations": [{"Message": "hunter2"}]},
        ],
    }
    report = Report(raw, "it")
    assert "hunter2" not in json.dumps(report.to_keep("shop:test"))
    assert report.to_keep("shop:test")["Metadata"] == {"ImageID": "i"}
    assert report.packages() == 1
    only = Report({"Results": raw["Results"][1:2]}, "it").findings()  # type: ignore[index]
    assert "hunter2" not in only[0].model_dump_json()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Target", "Secrets", "Vulnerabilities", "Misconfigurations", "Severity", "RuleID", "ID"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_any_other_shape_is_read_or_is_a_scanner_error(results: Any) -> None:
    with contextlib.suppress(ScannerError):
        for finding in Report({"Results": results}, "it").findings():
            assert finding.id
            assert finding.severity in RANKS


@given(st.text())
def test_what_is_told_is_one_line_without_control_characters(text: str) -> None:
    line = printable(text)
    assert len(line) <= 300
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line
