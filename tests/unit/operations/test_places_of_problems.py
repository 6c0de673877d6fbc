"""What a target finds wrong before the build is told with the target's own table, and where the key is written."""

from __future__ import annotations

import pytest

from shipper.model import Problem
from tests.unit.operations.imaginary import Laptop

pytestmark = pytest.mark.unit

ROOM = Problem(code=2, key="targets.room", message="it is taken", hint='write [targets.<name>] room = "other"')
PORT = Problem(code=2, key="run.port", message="it is below 1024", hint="choose another")


@pytest.fixture
def project(laptop: Laptop) -> Laptop:
    laptop.configure({"image": {"repository": "registry.example.com/shop"}})
    return laptop


def where(laptop: Laptop, words: str) -> str:
    """`LINE:COLUMN` of the line that begins so."""
    lines = (laptop.project / "shipper.toml").read_text().splitlines()
    return f"{next(at for at, one in enumerate(lines, 1) if one.startswith(words))}:1"


def refused_with(laptop: Laptop, *problems: Problem) -> None:
    laptop.kind.around = lambda name, call: problems if name == "preflight" else call()


def test_a_plan_names_the_table_of_the_target_and_the_line(project: Laptop) -> None:
    refused_with(project, ROOM)
    ended = project.run("plan", "-C", str(project.project))
    assert ended.code == 2, ended
    assert f"shipper.toml:{where(project, 'room')} targets.here.room: it is taken" in ended.err, ended
    assert 'next: write [targets.here] room = "other"' in ended.err


def test_a_release_names_each_with_its_line(project: Laptop) -> None:
    refused_with(project, ROOM, PORT)
    ended = project.run("release", "-C", str(project.project), "--config-only", "--json")
    assert ended.code == 2, ended
    told = ended.finished["details"]
    assert f"shipper.toml:{where(project, 'room')} targets.here.room: it is taken" in told[0], ended
    assert told[1] == "run.port: it is below 1024 (choose another)", "the file says nothing of it"


def test_doctor_names_the_line_too(project: Laptop) -> None:
    refused_with(project, ROOM)
    checks = project.run("doctor", "-C", str(project.project), "--json").shown["checks"]
    found = next(one["found"] for one in checks if one["name"] == "target here")
    assert found.endswith(f"shipper.toml:{where(project, 'room')} targets.here.room: it is taken"), found


def test_of_a_target_that_no_file_has_the_name_is_told_without_a_line(project: Laptop) -> None:
    refused_with(project, ROOM)
    ended = project.run("plan", "-C", str(project.project), "-t", "memory://other")
    assert "cannot take this release: targets.memory-other.room: it is taken" in ended.err, ended
