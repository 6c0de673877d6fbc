"""On a terminal: a line for each stage that changes in place; and which view is chosen where."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from shipper.model import Event, EvidenceFound, Remark, StageStarted
from shipper.pipeline.reporter import current_stage
from shipper.reporting import open_sinks
from shipper.reporting.diagnostics import Diagnostics, set_up
from shipper.reporting.live import LiveView
from shipper.reporting.run_log import RunLog
from shipper.reporting.sinks import wants_live_view
from tests.unit.reporting.told import good, progress, stage, started

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


def shown(events: Iterable[Event]) -> str:
    terminal = Terminal()
    sink = LiveView(terminal)
    for event in events:
        sink(event)
    sink.close()
    return terminal.getvalue()


def last_frame(text: str) -> list[str]:
    """What stands on the screen at the end: what follows the last erased line."""
    plain = re.sub(r"\x1b\[\??[0-9;]*[a-zA-Z]", "", text.rpartition("\x1b[2K")[2])
    return [" ".join(line.split()) for line in plain.splitlines() if line.strip()]


def test_each_stage_ends_as_one_line() -> None:
    frame = last_frame(
        shown(
            [
                started(),
                *stage("build", 1, 13.3, summary="4f2a9c, 145.2 MB"),
                *stage("lint", 1, 1, "reused"),
                *stage("scan", 1, 3, "failed", "no database"),
                good(),
            ]
        )
    )

    assert frame == [
        "✓ build 12.3 s done in 12.3 s: 4f2a9c, 145.2 MB",
        "= lint 0.0 s nothing changed, reused",
        "✗ scan 2.0 s FAILED after 2.0 s: no database",
    ]


def test_a_running_stage_says_what_it_does_and_how_far_it_is() -> None:
    sink = LiveView(Terminal())
    for event in (StageStarted(stage="publish"), progress("publish", 2, done=3e7, total=6e7, unit="bytes")):
        sink(event)
    assert sink._console is not None
    with sink._console.capture() as captured:
        sink._console.print(sink._table())
    sink.close()

    assert "pushing, 30.0 MB of 60.0 MB" in captured.get()
    assert "━" in captured.get()


def test_what_a_reader_should_know_stands_above() -> None:
    text = shown(
        [
            started(),
            EvidenceFound(stage="lint", evidence={"status": "failed", "reason": "runs as root"}),
            Remark(stage="smoke", text="[bold]not markup[/bold]"),
            good(),
        ]
    )

    assert "lint: failed: runs as root" in text
    assert "smoke: note: [bold]not markup[/bold]" in text


def test_the_cursor_is_given_back() -> None:
    text = shown([started(), *stage("build", 1, 2), good()])

    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_no_colour_when_asked_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b[32m" not in shown([started(), *stage("build", 1, 2), good()])


@pytest.mark.parametrize(
    ("environ", "live"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "xterm", "CI": "true"}, False),
    ],
)
def test_where_the_live_view_is_used(environ: dict[str, str], live: bool) -> None:
    assert wants_live_view(Terminal(), environ) is live
    assert wants_live_view(io.StringIO(), environ) is False


@pytest.mark.usefixtures("our_logger")
@pytest.mark.parametrize(
    ("options", "terminal", "kinds"),
    [
        ({}, True, ["RunLog", "LiveView", "FinalBlock"]),
        ({}, False, ["RunLog", "PlainLines", "FinalBlock"]),
        ({"verbose": 1}, True, ["RunLog", "Diagnostics", "PlainLines", "FinalBlock"]),
        ({"quiet": True}, True, ["RunLog", "FinalBlock"]),
        ({"as_json": True}, True, ["RunLog", "JsonLines"]),
        ({"as_json": True, "verbose": 1}, False, ["RunLog", "Diagnostics", "JsonLines", "PlainLines"]),
    ],
)
def test_which_sinks_a_run_gets(tmp_path: Any, options: dict[str, Any], terminal: bool, kinds: list[str]) -> None:
    err = Terminal() if terminal else io.StringIO()

    with open_sinks(**options, out=io.StringIO(), err=err, log=RunLog(tmp_path)) as sinks:
        assert [type(sink).__name__ for sink in sinks] == kinds


@pytest.mark.usefixtures("our_logger")
def test_json_has_stdout_for_itself(tmp_path: Any) -> None:
    out, err = io.StringIO(), io.StringIO()
    with open_sinks(as_json=True, verbose=1, out=out, err=err, log=RunLog(tmp_path)) as sinks:
        for event in (started(), *stage("build", 1, 2), good()):
            for sink in sinks:
                sink(event)

    assert all(line.startswith("{") for line in out.getvalue().splitlines())
    assert "build: done" in err.getvalue()


def test_quiet_shows_the_result_alone(tmp_path: Any) -> None:
    out, err = io.StringIO(), io.StringIO()
    with open_sinks(quiet=True, out=out, err=err, log=RunLog(tmp_path)) as sinks:
        for event in (started(), *stage("build", 1, 2), good()):
            for sink in sinks:
                sink(event)

    assert out.getvalue().startswith("\nrelease 42 serves\n")
    assert err.getvalue() == ""


@pytest.fixture
def our_logger() -> Iterator[None]:
    """Left as it was found."""
    logger = logging.getLogger("shipper")
    before = (logger.handlers, logger.propagate, logger.level)
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


@pytest.mark.usefixtures("our_logger")
def test_diagnostics_name_run_service_and_stage() -> None:
    stream = io.StringIO()
    set_up(2, stream)
    sink = Diagnostics()
    sink(started())
    token = current_stage.set("build")
    logging.getLogger("shipper.pipeline.journal").debug("entry %s is ignored", "x")
    current_stage.reset(token)
    sink.close()

    line = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert "entry x is ignored" in line
    assert "run=01JABC" in line
    assert "service=iris" in line
    assert "stage=build" in line


def test_nothing_heavy_is_imported_until_it_is_needed() -> None:
    check = "import sys, shipper.reporting, shipper.pipeline; print({'rich', 'structlog', 'docker'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
