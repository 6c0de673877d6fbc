"""What a person reads at the end."""

from __future__ import annotations

import io

import pytest

from shipper.model import Event, RunFinished, StageLog
from shipper.reporting.final_block import FinalBlock, success_lines
from shipper.reporting.run_log import RunLog
from tests.unit.reporting.told import bad, good, stage, started

pytestmark = pytest.mark.unit


def block(*events: Event) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    sink = FinalBlock(out, err)
    for event in events:
        sink(event)
    return out.getvalue(), err.getvalue()


def test_after_a_good_run_everything_in_its_order_on_stdout() -> None:
    out, err = block(
        started(), *stage("build", 100, 112), *stage("scan", 112, 112, "reused"), good(log="/runs/x.jsonl")
    )

    assert err == ""
    assert out.splitlines() == [
        "",
        "release 42 serves",
        "  address   http://localhost:8080 (Host: iris.localhost)",
        "  serves    #42 iris-42, proof: identity",
        "  image     registry.example.com/iris@sha256:abc",
        "  times     15.5 s in all",
        "            build 12.0 s · scan reused",
        "  log       /runs/x.jsonl",
        "rollback: ready -> #41 (2 h old, healthy for 3 d), about 3 s, warm",
    ]


def test_of_an_image_that_nothing_serves_yet_the_next_step_is_said() -> None:
    image = "registry.example.com/iris@sha256:abc"
    lines = success_lines(
        good(message="published", serves=None, rollback="", image=image, hint=f"shipper render --image {image}"), {}
    )

    assert lines == [
        "published",
        f"  image     {image}",
        "  times     15.5 s in all",
        "            build 12.0 s · scan 3.0 s",
        f"next: shipper render --image {image}",
    ]


def test_quiet_is_an_image_alone_and_the_whole_block_where_something_serves() -> None:
    def quietly(event: Event) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        FinalBlock(out, err, quiet=True)(event)
        return out.getvalue(), err.getvalue()

    assert quietly(good(serves=None, image="a@sha256:1\x1b[2J")) == ("a@sha256:1\n", "")
    assert quietly(good())[0].splitlines()[1] == "release 42 serves"
    out, err = quietly(bad(image=""))
    assert out == ""
    assert "error: the gate refused" in err


def test_times_are_compared_with_the_last_good_run_where_they_differ() -> None:
    before = good(stages={"build": 40.0, "scan": 3.05, "smoke": 2.0}, seconds=45.0)

    lines = success_lines(good(), {}, before)

    assert "  times     15.5 s in all (last 45.0 s)" in lines
    assert "            build 12.0 s (last 40.0 s) · scan 3.0 s" in lines


def test_lines_stay_short_with_many_stages() -> None:
    stages = {f"a_stage_with_a_name_{number}": 10.0 for number in range(20)}

    assert max(len(line) for line in success_lines(good(stages=stages), {})) < 100


def test_after_a_bad_run_the_reasons_and_the_next_step_on_stderr() -> None:
    out, err = block(started(), bad(details=("CVE-1 (exit 12)", "not ready (exit 14)"), log="/runs/x.jsonl"))

    assert out == ""
    assert err.splitlines() == [
        "",
        "error: the gate refused this image, for 2 reasons",
        "  CVE-1 (exit 12)",
        "  not ready (exit 14)",
        "next: mend the reasons above",
        "exit: 12 (the gate refused: findings; nothing written)",
        "log: /runs/x.jsonl",
    ]


def test_what_serves_after_a_failure_is_said() -> None:
    _, err = block(bad(code=20, serves={"number": 41, "revision": "iris-41", "proof": "answer"}))

    assert "serves: #41 iris-41, proof: answer" in err
    assert "exit: 20 (failed; what served before (perhaps nothing) still does, verified)" in err


def test_a_failure_without_details_shows_the_failed_stages_last_lines() -> None:
    lines = [StageLog(stage="build", line=f"line {number}") for number in range(50)]
    other = StageLog(stage="lint", line="of no interest")

    _, err = block(*lines, other, *stage("build", 1, 2, "failed"), *stage("lint", 1, 2), bad())

    assert "  last lines of build:\n    line 30\n" in err
    assert "    line 49\n" in err
    assert "line 29" not in err
    assert "of no interest" not in err


def test_an_error_before_the_run_was_known_is_shown_too() -> None:
    _, err = block(RunFinished(code=2, cause="configuration", message="shipper.toml: 2 problems", details=("a", "b")))

    assert err.splitlines()[1:] == [
        "error: shipper.toml: 2 problems",
        "  a",
        "  b",
        "exit: 2 (usage or configuration; nothing written)",
    ]


def test_the_block_names_the_run_log_that_is_being_written(tmp_path: object) -> None:
    log = RunLog(tmp_path)  # type: ignore[arg-type]
    out = io.StringIO()
    sink = FinalBlock(out, io.StringIO(), log)
    for event in (started(), good()):
        log(event)
        sink(event)

    assert f"  log       {log.path}" in out.getvalue()
