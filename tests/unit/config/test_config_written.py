"""Where a key is written, which only the target finds wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import Written
from tests.unit.config.files import written

pytestmark = pytest.mark.unit

TEXT = """\
service = "iris"
[run]
port = 8080
[run.secrets]
TOKEN = "env:TOKEN"
[[smoke.requests]]
name = "first"
[[smoke.requests]]
name = "second"
[targets.gateway]
kind = "kubernetes"
gateway = { name = "edge" }
labels = { "example.com/team" = "shop" }
[environments.production.targets.gateway]
max_surge = 0
"""


def place(folder: Path, key: str, environment: str = "dev", text: str = TEXT, name: str = "shipper.toml") -> str:
    return Written(written(folder, text, name), environment).place_of(key).removeprefix(f"{folder}/").rpartition("/")[2]


@pytest.mark.parametrize(
    ("key", "at"),
    [
        ("run.port", "3:1"),
        ("run.memory", "2:2"),
        ("run.secrets.TOKEN", "5:1"),
        ("smoke.requests.second", "8:9"),
        ("targets.gateway", "10:10"),
        ("targets.gateway.gateway.name", "12:13"),
        ("targets.gateway.gateway.section", "12:1"),
        ("targets.gateway.labels.example.com/team", "13:12"),
        ("targets.gateway.max_surge", "10:10"),
    ],
)
def test_a_key_is_where_it_is_written_or_else_where_the_table_around_it_is(tmp_path: Path, key: str, at: str) -> None:
    assert place(tmp_path, key) == f"shipper.toml:{at}"


def test_a_key_of_this_environment_alone_is_where_that_has_it(tmp_path: Path) -> None:
    assert place(tmp_path, "targets.gateway.max_surge", "production") == "shipper.toml:15:1"


def test_a_part_of_pyproject_has_its_lines_there(tmp_path: Path) -> None:
    text = '[project]\nname = "iris"\n[tool.shipper]\nservice = "iris"\n[tool.shipper.run]\nport = 8080\n'
    assert place(tmp_path, "run.port", text=text, name="pyproject.toml") == "pyproject.toml:6:1"


@pytest.mark.parametrize("key", ["image.repository", "targets.other.port", "targets.kubernetes-rig", "nonsense"])
def test_of_what_the_file_says_nothing_of_there_is_no_place(tmp_path: Path, key: str) -> None:
    assert place(tmp_path, key) == ""


def test_without_a_file_that_can_be_read_there_is_no_place(tmp_path: Path) -> None:
    assert Written(None, "dev").place_of("run.port") == ""
    assert Written(tmp_path / "gone.toml", "dev").place_of("run.port") == ""
    assert place(tmp_path, "run.port", text="[") == ""
