"""The configuration is found from any folder of the repository, and never outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import ConfigProblems, NoConfiguration, find, load
from shipper.errors import ConfigError
from tests.unit.config.files import written

pytestmark = pytest.mark.unit

SERVICE = 'service = "iris"\n'
PYPROJECT = '[project]\nname = "x"\n[tool.shipper]\nservice = "iris"\n'


def test_it_is_found_in_the_folder_itself(tmp_path: Path) -> None:
    assert find(tmp_path if written(tmp_path, SERVICE) else None) == tmp_path / "shipper.toml"
    assert find() == tmp_path / "shipper.toml", "without a directory it is the working directory"


def test_it_is_found_above_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    written(tmp_path, SERVICE)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert find(below) == tmp_path / "shipper.toml"


def test_the_closest_one_counts(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    written(tmp_path, SERVICE)
    below = tmp_path / "a"
    below.mkdir()

    assert find(below if written(below, SERVICE) else None) == below / "shipper.toml"


def test_what_lies_above_the_repository_is_not_ours(tmp_path: Path) -> None:
    written(tmp_path, SERVICE)
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)

    with pytest.raises(NoConfiguration, match="or above, up to the repository's root"):
        find(repository)


def test_outside_of_a_repository_only_the_folder_itself_counts(tmp_path: Path) -> None:
    written(tmp_path, SERVICE)
    below = tmp_path / "a"
    below.mkdir()

    with pytest.raises(NoConfiguration, match=r"no shipper\.toml in a$"):
        find(below)


def test_a_worktree_has_a_file_named_git(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    written(tmp_path, SERVICE)
    below = tmp_path / "a"
    below.mkdir()

    assert find(below) == tmp_path / "shipper.toml"


def test_pyproject_toml_counts_when_it_has_our_table(tmp_path: Path) -> None:
    path = written(tmp_path, PYPROJECT, "pyproject.toml")

    assert find(tmp_path) == path
    assert load(path).service.service == "iris"


@pytest.mark.parametrize("text", ['[project]\nname = "shipper"\n', "[tool.other]\nshipper = 1\n", "not [ toml"])
def test_a_pyproject_toml_of_other_tools_is_passed_by(text: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    written(tmp_path, SERVICE)
    below = tmp_path / "a"
    below.mkdir()
    written(below, text, "pyproject.toml")

    assert find(below) == tmp_path / "shipper.toml"


def test_two_configurations_in_one_folder_are_refused(tmp_path: Path) -> None:
    written(tmp_path, SERVICE)
    written(tmp_path, PYPROJECT, "pyproject.toml")

    with pytest.raises(ConfigError, match=r"shipper\.toml and \[tool\.shipper\] in pyproject\.toml") as refused:
        find(tmp_path)
    assert refused.value.hint == "keep one of them and remove the other"


def test_our_table_in_a_broken_pyproject_toml_is_told(tmp_path: Path) -> None:
    written(tmp_path, PYPROJECT + "oops\n", "pyproject.toml")

    with pytest.raises(ConfigProblems) as refused:
        find(tmp_path)
    assert refused.value.details[0].startswith("pyproject.toml:5:5 not valid TOML")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot look into nowhere: no such file or directory"):
        find(Path("nowhere"))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = written(tmp_path, SERVICE)

    with pytest.raises(ConfigError, match=r"shipper\.toml is not a directory"):
        find(path)
