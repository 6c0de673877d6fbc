"""For programs: JSON lines with a schema, and the table of exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from shipper import errors
from shipper.model import Event
from shipper.reporting import events_schema, exit_codes_table, meaning_of, parse_event
from shipper.reporting.json_lines import JsonLines
from shipper.reporting.run_log import RunLog
from tests.unit.reporting.told import good, stage, started

pytestmark = pytest.mark.unit


def test_one_event_is_one_line_that_reads_back() -> None:
    stream = io.StringIO()
    events = [started(), *stage("build", 1, 2, summary="two\nlines"), good()]
    for event in events:
        JsonLines(stream)(event)

    assert [parse_event(line) for line in stream.getvalue().splitlines()] == events


def test_the_last_line_names_the_run_log(tmp_path: Path) -> None:
    stream, log = io.StringIO(), RunLog(tmp_path)
    sink = JsonLines(stream, log)
    for event in (started(), good()):
        log(event)
        sink(event)

    assert json.loads(stream.getvalue().splitlines()[-1])["log"] == log.path


def test_the_schema_has_every_kind_of_event_and_tells_them_apart() -> None:
    schema = events_schema()
    kinds = {kind.model_fields["event"].default for kind in Event.__subclasses__()}

    assert set(schema["discriminator"]["mapping"]) == kinds
    assert len(schema["oneOf"]) == len(kinds)
    json.dumps(schema)


def test_every_code_of_every_error_has_a_meaning() -> None:
    codes = dict(exit_codes_table())

    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ShipperError):
            assert kind.code in codes
    assert list(codes) == sorted(codes)
    assert all(meaning for meaning in codes.values())


def test_the_codes_of_the_design_are_there() -> None:
    designed = {0, 2, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 30, 31, 32, 33, 70, 130, 143}

    assert designed <= set(dict(exit_codes_table()))
    assert meaning_of(22) == "not healthy and not put back: a person is needed"
    assert meaning_of(99) == ""
