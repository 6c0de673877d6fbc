"""The run's own log: whole, private, bounded, and never a reason for a release to fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.model import Remark, StageLog
from shipper.pipeline import Events, WallClock
from shipper.reporting import parse_event, run_log
from shipper.reporting.run_log import RunLog, last_good_run
from tests.unit.pipeline.kitchen import Recorder
from tests.unit.reporting.told import bad, good, stage, started

pytestmark = pytest.mark.unit


def written(directory: Path, number: int, **about: str) -> RunLog:
    """The log of a good run whose build took `number` seconds."""
    log = RunLog(directory)
    log(started(run=f"01RUN{number:04}", **about))
    log(good(run=f"01RUN{number:04}", stages={"build": float(number)}))
    log.close()
    return log


def test_every_event_is_a_line_that_reads_back(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    events = [started(), *stage("build", 100, 112), good()]
    for event in events:
        log(event)

    path = tmp_path / "iris" / f"{started().run}.jsonl"
    assert log.path == str(path)
    read = [parse_event(line) for line in path.read_bytes().splitlines()]
    assert read == [*events[:-1], good(log=log.path)]


def test_it_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    log = written(tmp_path / "runs", 1)

    assert Path(log.path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "runs" / "iris").stat().st_mode & 0o777 == 0o700


def test_the_last_good_run_of_the_same_place_is_found(tmp_path: Path) -> None:
    written(tmp_path, 1)
    written(tmp_path, 2)
    written(tmp_path, 3, environment="production")
    written(tmp_path, 4, target="cloudrun")
    written(tmp_path, 5, command="rollback")
    failed = RunLog(tmp_path)
    failed(started(run="01RUN0006"))
    failed(bad(run="01RUN0006"))

    log = RunLog(tmp_path)
    log(started(run="01RUN0007"))

    assert log.previous is not None
    assert log.previous.stages == {"build": 2.0}


def truncated(content: bytes) -> bytes:
    return content[:-10]


@pytest.mark.parametrize("damage", [truncated, lambda content: b"", lambda content: b"\xff\n[]\n"])
def test_a_damaged_log_is_passed_over(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    written(tmp_path, 1)
    broken = Path(written(tmp_path, 2).path)
    broken.write_bytes(damage(broken.read_bytes()))

    previous = last_good_run(tmp_path / "iris", started())

    assert previous is not None
    assert previous.stages == {"build": 1.0}


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "KEPT_RUNS", 3)
    for number in range(6):
        written(tmp_path, number)

    assert sorted(path.stem for path in (tmp_path / "iris").iterdir()) == ["01RUN0003", "01RUN0004", "01RUN0005"]


def test_a_chatty_container_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "MAX_BYTES", 2000)
    log = RunLog(tmp_path)
    log(started())
    for _ in range(1000):
        log(StageLog(stage="smoke", line="x" * 100))
    log(good())

    lines = (tmp_path / "iris" / f"{started().run}.jsonl").read_text().splitlines()
    assert sum(map(len, lines)) < 5000
    assert json.loads(lines[-1])["event"] == "run-finished"


def test_a_full_disk_is_told_once_and_the_run_goes_on(tmp_path: Path) -> None:
    """/dev/full stands for the disk: every write to it fails as on a full one."""
    log, told = RunLog(tmp_path), Recorder()
    with Events("01RUN0001", [log, told], WallClock()) as events:
        events.emit(started())
        assert log._file is not None
        log._file = Path("/dev/full").open("wb")  # noqa: SIM115
        events.emit(Remark(text="one"))
        events.emit(good())

    (remark,) = [event for event in told.of(Remark) if event.text != "one"]
    assert remark.text.startswith("the run log stopped working")
    assert "No space left" in remark.text
    assert told.events[-1].event == "run-finished"
    assert log.path == ""


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = Recorder()

    with Events("01RUN0001", [RunLog(tmp_path / "file"), told], WallClock()) as events:
        events.emit(started())

    assert told.of(Remark)[0].text.startswith("the run log stopped working")


def test_a_hostile_service_name_stays_inside(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs")
    log(started(service="../../etc", run="../x"))
    log.close()

    assert Path(log.path).resolve().is_relative_to(tmp_path / "runs")


def test_nothing_is_written_before_the_run_says_what_it_is_about(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs")
    log(bad())
    log.close()

    assert log.path == ""
    assert not (tmp_path / "runs").exists()
