"""Without a terminal: a line when a stage starts and ends, little in between, and nothing that harms a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.model import Event, EvidenceFound, GateJudged, Remark, StageLog, StageStarted, TrafficShifted
from shipper.reporting.plain import PlainLines
from shipper.reporting.words import printable, wrapped
from tests.unit.reporting.told import good, progress, stage, started

pytestmark = pytest.mark.unit


def lines_of(events: Iterable[Event], *, verbose: bool = False) -> list[str]:
    stream = io.StringIO()
    sink = PlainLines(stream, verbose=verbose)
    for event in events:
        sink(event)
    return stream.getvalue().splitlines()


def test_a_run_in_lines_with_the_time_since_its_start() -> None:
    assert lines_of([started(), *stage("build", 100.5, 112.8, summary="4f2a9c, 145.2 MB"), good()]) == [
        "    0.0 s  release iris to dev on docker (shipper 0.1.0)",
        "    0.5 s  build: started",
        "   12.8 s  build: done in 12.3 s: 4f2a9c, 145.2 MB",
    ]


def test_stand_ins_are_named_first() -> None:
    lines = lines_of([started(stand_ins=("a generated vulnerability database",))])

    assert lines[1].endswith("stand-in: a generated vulnerability database")


def test_each_ending_has_its_own_word() -> None:
    events = [
        *stage("a", 100, 101, "reused"),
        *stage("b", 100, 101, "failed", "no"),
        *stage("c", 100, 101, "cancelled"),
    ]

    assert [line.split("  ")[-1] for line in lines_of(events) if "started" not in line] == [
        "a: nothing changed, reused",
        "b: FAILED after 1.0 s: no",
        "c: cancelled after 1.0 s",
    ]


def test_progress_comes_at_most_every_ten_seconds_for_each_stage() -> None:
    ticks = [progress("build", 100 + second / 10, done=second * 1e6, unit="bytes") for second in range(350)]
    others = [progress("scan", 109.0), progress("scan", 111.0)]

    lines = lines_of([StageStarted(stage="build", at=100), StageStarted(stage="scan", at=100.5), *ticks, *others])

    assert [line for line in lines if "build: pushing" in line] == [
        "   10.0 s  build: pushing, 100.0 MB",
        "   20.0 s  build: pushing, 200.0 MB",
        "   30.0 s  build: pushing, 300.0 MB",
    ]
    assert [line for line in lines if "scan: pushing" in line] == ["   11.0 s  scan: pushing"]


def test_amounts_are_shown_as_people_read_them() -> None:
    def shown(**amount: Any) -> str:
        return lines_of([StageStarted(stage="x", at=0.5), progress("x", 20, **amount)])[-1].partition("pushing, ")[2]

    assert shown(done=45_200_000, total=120_000_000, unit="bytes") == "45.2 MB of 120.0 MB"
    assert shown(done=3, total=7, unit="steps") == "3 of 7"
    assert shown(done=40, unit="percent") == "40 %"
    assert shown(done=1.22381, total=5) == "1.2 of 5"


def test_traffic_that_nobody_has_is_told_as_that() -> None:
    lines = lines_of([TrafficShifted(weights={}, putting_back=True, at=1)])
    assert lines[0].endswith("putting traffic back: nothing serves")


def test_output_of_children_is_shown_only_when_asked_for() -> None:
    log = StageLog(stage="build", line="Step 1/9", at=100)

    assert lines_of([log]) == []
    assert lines_of([log], verbose=True) == ["    0.0 s  build | Step 1/9"]


def test_bad_evidence_is_shown_with_its_first_findings() -> None:
    findings = [
        {"id": f"CVE-{number}", "title": "overflow", "severity": "critical", "where": "openssl 3.0", "fix": "in 3.1"}
        for number in range(7)
    ]
    event = EvidenceFound(stage="scan", evidence={"status": "failed", "reason": "7 findings", "findings": findings})

    lines = lines_of([event])

    assert lines[0].endswith("scan: failed: 7 findings")
    assert lines[1].endswith("scan:   critical CVE-0 openssl 3.0: overflow (in 3.1)")
    assert len(lines) == 7
    assert lines[-1].endswith("and 2 more")


def test_good_evidence_makes_no_noise() -> None:
    assert lines_of([EvidenceFound(stage="scan", evidence={"status": "passed", "findings": []})]) == []


def test_traffic_and_remarks() -> None:
    lines = lines_of(
        [
            TrafficShifted(weights={"iris-42": 100, "iris-41": 0}, at=1),
            TrafficShifted(weights={"iris-41": 100}, putting_back=True, at=1),
            Remark(stage="smoke", text="SIGTERM was ignored", at=1),
        ]
    )

    assert [line.partition(" s  ")[2] for line in lines] == [
        "traffic: iris-42 100 %, iris-41 0 %",
        "putting traffic back: iris-41 100 %",
        "smoke: note: SIGTERM was ignored",
    ]


def test_a_hostile_log_line_cannot_move_the_cursor_or_set_the_title() -> None:
    line = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\rover\x08\x9b1A\u202etxt"

    assert printable(line) == "red over  1A txt"


@given(st.text())
def test_whatever_a_container_says_is_one_line_without_controls(text: str) -> None:
    shown = printable(text)

    assert not any(ord(character) < 32 and character != "\t" for character in shown)
    assert "\x7f" not in shown


@given(st.lists(st.text("abc", min_size=1, max_size=30)))
def test_wrapping_loses_nothing_and_keeps_the_width(items: list[str]) -> None:
    lines = wrapped(items, 30)

    assert " · ".join(lines).split(" · ") == (items or [""])
    assert all(len(line) <= 30 for line in lines)


def test_a_gate_says_where_and_by_which_figures_it_judged() -> None:
    events = [
        GateJudged(gate="error-rate", revision="iris-42", weight=10, ok=True, reason="0.2 % of 512 requests", at=1),
        GateJudged(gate="latency", revision="iris-42", weight=50, ok=False, reason="at most 2.5 s", at=2),
    ]
    assert [line.partition(" s  ")[2] for line in lines_of(events)] == [
        "gate error-rate at 10 % on iris-42: passed, 0.2 % of 512 requests",
        "gate latency at 50 % on iris-42: FAILED, at most 2.5 s",
    ]
