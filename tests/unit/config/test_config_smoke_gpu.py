"""The smoke test may do with fewer GPUs than production, never with more."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import load
from tests.unit.config.files import told, written

pytestmark = pytest.mark.unit

SERVICE = 'service = "iris"\n[run]\ngpu = 2\n'


@pytest.mark.parametrize(("line", "gpus"), [("", None), ("gpu = 0", 0), ("gpu = 2", 2)])
def test_as_many_as_production_or_fewer(tmp_path: Path, line: str, gpus: int | None) -> None:
    assert load(written(tmp_path, f"{SERVICE}[smoke]\n{line}\n")).smoke.gpu == gpus


def test_more_than_production_has_is_a_mistake_at_its_line(tmp_path: Path) -> None:
    said = " ".join(told(tmp_path, f"{SERVICE}[smoke]\ngpu = 3\n").split())
    assert "shipper.toml:5:1 smoke.gpu: the smoke test has 3 GPUs, [run] gpu = 2" in said
    assert "write gpu = 2 or less" in said


def test_those_for_all_environments_may_be_of_what_one_of_them_has(tmp_path: Path) -> None:
    text = 'service = "iris"\n[smoke]\ngpu = 1\n[environments.production.run]\ngpu = {}\n'
    assert told(tmp_path, text.format(1), environment=None) == ""
    assert "smoke.gpu" in told(tmp_path, text.format(0), None)
