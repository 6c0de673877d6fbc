"""One laptop for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.operations.imaginary import Laptop


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Laptop:
    """Nothing is released yet."""
    return Laptop(tmp_path, monkeypatch, capsys)
