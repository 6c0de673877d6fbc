"""The build context: what is in it, its digest, and what it refuses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper.errors import BuildError, ConfigError, PolicyError
from shipper.images.context import BuildContext, describe, open_context
from shipper.model import ImageSettings, ServiceSettings
from tests.unit.images.conftest import Told

pytestmark = pytest.mark.unit

ContextOf = Callable[..., BuildContext]
Project = Callable[..., ServiceSettings]


def _link(place: Path, target: str) -> Path:
    place.symlink_to(target)
    return place


def digest(context: BuildContext) -> str:
    return context.measure().digest


def test_files_sizes_and_the_largest_are_told(context_of: ContextOf) -> None:
    context = context_of({"app.py": "x" * 10, "model/iris.onnx": "y" * 1000, "Dockerfile": "FROM scratch\n"})

    measure = context.measure()

    assert (measure.files, measure.size) == (3, 1023)
    assert [(large.path, large.size) for large in measure.largest][:2] == [
        ("model/iris.onnx", 1000),
        ("Dockerfile", 13),
    ]


def test_what_dockerignore_keeps_out_does_not_count(context_of: ContextOf) -> None:
    context = context_of({"app.py": "x", ".env": "SECRET=1", "data/big": "z" * 99, ".dockerignore": ".env\ndata\n"})

    assert [entry.path for entry in context.entries()] == [".dockerignore", "Dockerfile", "app.py"]


def test_an_exception_brings_its_directory_back(context_of: ContextOf) -> None:
    context = context_of({"a/b/keep": "1", "a/b/drop": "2", "a/c": "3", ".dockerignore": "a\n!a/b/keep\n"})

    assert [entry.path for entry in context.entries()] == [".dockerignore", "Dockerfile", "a", "a/b", "a/b/keep"]


def test_the_ignore_file_of_the_dockerfile_goes_first(context_of: ContextOf) -> None:
    files = {
        "docker/web": "FROM scratch\n",
        "docker/web.dockerignore": "only-web\n",
        ".dockerignore": "*\n",
        "only-web": "1",
    }

    paths = [entry.path for entry in context_of(files, dockerfile="docker/web").entries()]

    assert "only-web" not in paths
    assert "Dockerfile" in paths


def test_the_digest_follows_content_mode_link_dockerfile_and_stage_but_not_time(context_of: ContextOf) -> None:
    context = context_of({"app.py": "print(1)", "run.sh": "#!/bin/sh\n"})
    root = context.directory
    (root / "link").symlink_to("app.py")
    before = digest(context)

    os.utime(root / "app.py", (1, 1))
    assert digest(context) == before
    changes: list[Callable[[], object]] = [
        lambda: (root / "app.py").write_text("print(2)"),
        lambda: (root / "run.sh").chmod(0o755),
        lambda: _link(root / "new", "run.sh").replace(root / "link"),
        lambda: (root / "app.py").rename(root / "main.py"),
        (root / "empty").mkdir,
        lambda: (root / "Dockerfile").write_text("FROM python\n"),
    ]
    seen = {before}
    for change in changes:
        change()
        seen.add(digest(context))
    assert len(seen) == len(changes) + 1
    assert digest(BuildContext(root, context.dockerfile, "web", context.rules)) not in seen


def test_a_dockerfile_that_is_kept_out_still_counts(context_of: ContextOf) -> None:
    context = context_of({"app.py": "1", ".dockerignore": "Dockerfile\n.dockerignore\n"})
    before = digest(context)

    context.dockerfile.write_text("FROM other\n")

    assert [entry.path for entry in context.entries()] == ["app.py"]
    assert digest(context) != before


def test_two_contexts_cannot_be_told_apart_by_where_a_name_ends(context_of: ContextOf, tmp_path: Path) -> None:
    one = digest(context_of({"ab": "c", "d": ""}))
    shutil.rmtree(tmp_path / "project")

    assert digest(context_of({"a": "bc", "d": ""})) != one


@pytest.mark.parametrize("image", [{"context": "../.."}, {"dockerfile": "../Dockerfile"}, {"context": "out"}])
def test_nothing_leaves_the_repository(project: Project, tmp_path: Path, image: dict[str, str]) -> None:
    service = project({})
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (Path(service.root) / "out").symlink_to(tmp_path)

    with pytest.raises(ConfigError, match="leaves the repository"):
        open_context(service, ImageSettings(**image))


def test_a_folder_of_a_larger_repository_may_use_all_of_it(project: Project, tmp_path: Path) -> None:
    service = project({})
    (tmp_path / ".git").mkdir()

    assert open_context(service, ImageSettings(context="..")).directory == tmp_path


@pytest.mark.parametrize("image", [{"dockerfile": "missing"}, {"dockerfile": "folder"}, {"context": "Dockerfile"}])
def test_what_is_not_there_is_a_configuration_error(project: Project, image: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        open_context(project({"folder/x": ""}), ImageSettings(**image))


def test_a_pipe_is_left_out_with_a_remark_and_never_opened(project: Project, told: Told) -> None:
    service = project({"app.py": "1"})
    os.mkfifo(Path(service.root) / "pipe")

    source = describe(service, ImageSettings(), told)

    assert source.files == 2
    assert told.remarks == ["left out of the build context, neither file, directory nor link: pipe"]


def test_a_context_over_its_limit_is_refused_and_names_the_large_files(project: Project) -> None:
    service = project({"model.bin": "x" * 5000, "app.py": "1"})

    with pytest.raises(PolicyError, match=r"5\.0 kB, more than image.max_context \(1\.0 kB\)") as refused:
        describe(service, ImageSettings(max_context=1000))

    assert refused.value.details[0].endswith("model.bin")


def test_a_copy_holds_the_files_and_no_links(context_of: ContextOf, tmp_path: Path) -> None:
    context = context_of({"app/main.py": "1", ".env": "S=1", ".dockerignore": ".env\n"})
    (context.directory / "passwd").symlink_to("/etc/passwd")
    (context.directory / "folder").symlink_to("/etc")

    context.copy_to(tmp_path / "copy")

    copied = sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*"))
    assert copied == [".dockerignore", "Dockerfile", "app", "app/main.py"]


def test_a_name_that_is_no_text_can_be_shown(context_of: ContextOf) -> None:
    context = context_of({})
    (context.directory / os.fsdecode(b"caf\xe9\n")).write_bytes(b"x" * 100)

    assert context.measure().largest[0].path == "caf\\xe9\n"


def test_a_bottomless_tree_is_refused_unless_it_is_kept_out(context_of: ContextOf) -> None:
    context = context_of({})
    context.directory.joinpath(*["d"] * 300).mkdir(parents=True)

    with pytest.raises(BuildError, match="more than 256 directories inside each other, below d/"):
        context.measure()
    assert context_of({".dockerignore": "d"}).measure().files == 2
