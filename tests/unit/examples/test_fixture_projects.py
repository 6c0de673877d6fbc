"""The fixture projects of the end-to-end tests are what they claim to be, before anything is built from them."""

import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.e2e import projects

pytestmark = pytest.mark.unit

PLAIN = st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.text(max_size=20), st.floats(-1e6, 1e6))
KEYS = st.text(max_size=8)
TABLES = st.recursive(
    st.dictionaries(KEYS, PLAIN | st.lists(PLAIN, max_size=3), max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | PLAIN | st.lists(inner, min_size=1, max_size=3), max_size=4),
    max_leaves=12,
)


@given(TABLES)
@settings(max_examples=150)
def test_what_is_written_as_toml_is_read_back_the_same(table: dict[str, object]) -> None:
    assert tomllib.loads(projects.to_toml(table)) == table


def test_settings_of_a_test_lie_over_the_project_s_own(tmp_path: Path) -> None:
    target = {"kind": "docker", "port": 8123}
    over = {"run": {"memory": "64MB"}, "health": {"startup": "3s"}, "targets": {"local": target}, "smoke": None}
    project = projects.write_service(tmp_path / "shop", settings=over, git=False)
    written = tomllib.loads((project.folder / "shipper.toml").read_text())
    assert written["run"] == {"memory": "64MB"}
    assert written["health"] == {"path": "/healthz", "startup": "3s"}
    assert written["targets"] == {"local": target}
    assert "smoke" not in written


def test_writing_again_over_a_project_is_its_next_commit(tmp_path: Path) -> None:
    projects.write_service(tmp_path / "shop", version="1")
    projects.write_service(tmp_path / "shop", version="2", behaviour="crash")
    assert log(tmp_path / "shop") == ["version 2, crash", "version 1, good"]


def test_the_same_project_written_twice_has_the_same_commit(tmp_path: Path) -> None:
    heads = []
    for name in ("one", "two"):
        projects.write_service(tmp_path / name)
        heads.append(git(tmp_path / name, "rev-parse", "HEAD"))
    assert heads[0] == heads[1]


def test_the_token_looks_like_github_s_and_stands_in_no_file_of_this_repository() -> None:
    token = projects.fixture_token()
    assert (token[:4], len(token)) == ("ghp_", 40)
    assert token not in Path(projects.__file__).read_text()


def test_a_hostile_repository_would_execute_its_program_if_git_were_asked_carelessly(tmp_path: Path) -> None:
    project = projects.write_hostile(tmp_path / "shop")
    assert project.marker is not None
    assert not project.marker.exists()
    git(project.folder, "status", "--short")
    assert project.marker.exists()


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def log(folder: Path) -> list[str]:
    return git(folder, "log", "--format=%s").splitlines()
