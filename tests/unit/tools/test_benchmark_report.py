"""The benchmarks' arithmetic: medians over rounds, ratios, and a table that lines up."""

import pytest

from benchmarks.release import ROWS, Run, median, ratio
from benchmarks.report import table

pytestmark = pytest.mark.unit


def test_the_parts_of_a_row_are_summed_before_the_median_is_taken() -> None:
    runs = [Run(9.0, {"run": 1.0, "ready": 2.0}), Run(9.0, {"run": 5.0}), Run(9.0, {"ready": 4.0})]
    assert median(runs, ("run", "ready")) == 4.0


def test_a_ratio_is_ours_over_theirs_and_absent_without_theirs() -> None:
    assert ratio(4.0, 1.0) == ["4.00 s", "1.00 s", "0.25"]
    assert ratio(0.0, 1.0) == ["-", "1.00 s", "-"]


def test_every_stage_of_the_release_pipeline_stands_in_exactly_one_row() -> None:
    from shipper.pipeline import load

    stages = [step.name.replace("-", "_") for step in load("release").steps]
    named = [part for _, ours in ROWS.values() for part in ours]
    assert sorted(named) == sorted(stages)


def test_columns_line_up() -> None:
    assert table(["a", "bb"], [["long", "1"]]) == "a     bb\n----  --\nlong   1"
