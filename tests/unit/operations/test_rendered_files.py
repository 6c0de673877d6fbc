"""Rendered files in a directory: whole or not at all, only ours go, and the same again writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from shipper.errors import UsageError
from shipper.model import Deployment, Release, Settings
from shipper.operations.render import KUSTOMIZATION, kustomization
from shipper.operations.rendered_files import WrittenOut, header, write_out
from shipper.targets import Target, TargetContext
from tests.unit.operations.imaginary import Collecting, Laptop, MemoryKind

pytestmark = pytest.mark.unit

FIRST = header("shop", "production")


def files(**texts: str) -> list[tuple[str, str]]:
    return [(f"{name}.yaml", f"{FIRST}\nvalue: {text}\n") for name, text in texts.items()]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_is_new_is_written_and_the_same_again_is_not(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert write_out(files(a="1", b="2"), out) == WrittenOut((out / "a.yaml", out / "b.yaml"), (), 0)
    assert (out / "a.yaml").read_text() == f"{FIRST}\nvalue: 1\n"
    assert write_out(files(a="1", b="2"), out) == WrittenOut((), (), 2)
    assert write_out(files(a="1", b="3"), out) == WrittenOut((out / "b.yaml",), (), 1)


def test_ours_that_are_not_rendered_any_more_go_and_no_others(tmp_path: Path) -> None:
    write_out(files(a="1", b="2"), tmp_path)
    write_out([("c.yaml", f"{header('shop', 'staging')}\nvalue: 1\n")], tmp_path)
    (tmp_path / "mine.yaml").write_text("value: 1\n")
    (tmp_path / "notes.txt").write_text(FIRST)
    assert write_out(files(a="1"), tmp_path) == WrittenOut((), (tmp_path / "b.yaml",), 1)
    assert names(tmp_path) == ["a.yaml", "c.yaml", "mine.yaml", "notes.txt"]


def test_a_file_of_somebody_else_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("value: theirs\n")
    with pytest.raises(UsageError, match=r"b\.yaml is there and was not written by shipper render"):
        write_out(files(a="1", b="2"), tmp_path)
    assert names(tmp_path) == ["b.yaml"]


@pytest.mark.parametrize(("service", "environment"), [("iris", "production"), ("shop", "staging")])
def test_another_service_or_environment_needs_a_directory_of_its_own(
    tmp_path: Path, service: str, environment: str
) -> None:
    """A kustomization that is written over names one of two only: who prunes by it deletes the other."""
    write_out([("deployment-shop.yaml", f"{FIRST}\n"), ("kustomization.yaml", f"{FIRST}\n")], tmp_path)
    other = header(service, environment)
    with pytest.raises(UsageError, match=r"kustomization\.yaml is that of shop production") as refused:
        write_out([("deployment-x.yaml", f"{other}\n"), ("kustomization.yaml", f"{other}\n")], tmp_path)
    assert "--out gitops/" in str(refused.value.hint)
    assert names(tmp_path) == ["deployment-shop.yaml", "kustomization.yaml"]
    assert (tmp_path / "kustomization.yaml").read_text() == f"{FIRST}\n"


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="out: "):
        write_out(files(a="1"), tmp_path / "out")


def test_a_kustomization_names_the_files() -> None:
    made = yaml.safe_load(kustomization(["deployment-shop.yaml", "service-shop.yaml"]))
    assert made["kind"] == "Kustomization"
    assert made["resources"] == ["deployment-shop.yaml", "service-shop.yaml"]


class Rendering(Collecting):
    """A target whose platform is given texts."""

    def content(self, settings: Settings) -> str:
        return ""

    def render(self, release: Release) -> Sequence[tuple[str, str]]:
        image = release.main.reference
        return (("thing.yaml", f"image: {image}\nsecrets: {sorted(release.secret_versions.values())}\n"),)


class RenderingKind(MemoryKind):
    def connect(self, context: TargetContext) -> Target:
        connected = super().connect(context)
        assert isinstance(connected, Collecting)
        return Rendering(connected.memory, context.secrets)


@pytest.fixture
def rendering(laptop: Laptop) -> Laptop:
    laptop.kind = RenderingKind()
    return laptop


def serving_image(laptop: Laptop) -> str:
    return next(iter(laptop.memory.records.values())).main.reference


def test_of_a_service_by_its_name_what_serves_is_written_out(rendering: Laptop) -> None:
    assert isinstance(rendering.release("one"), Deployment)
    ended = rendering.run("render", "--service", "shop")
    assert ended.code == 0, ended
    assert ended.out == f"{header('shop', 'dev')}\nimage: {serving_image(rendering)}\nsecrets: []\n"


def test_files_are_told_as_they_are_written(rendering: Laptop) -> None:
    assert isinstance(rendering.release("one"), Deployment)
    first = rendering.run("render", "--service", "shop", "--out", "gitops", "--kustomize")
    assert first.code == 0, first
    assert names(rendering.empty / "gitops") == [KUSTOMIZATION, "thing.yaml"]
    assert first.err.splitlines() == [f"wrote gitops/{KUSTOMIZATION}", "wrote gitops/thing.yaml"]
    assert rendering.run("render", "--service", "shop", "--out", "gitops", "--kustomize").err == "2 unchanged\n"
    third = rendering.run("render", "--service", "shop", "--out", "gitops")
    assert third.err == f"removed gitops/{KUSTOMIZATION}\n1 unchanged\n"


def test_what_was_never_released_needs_an_image(rendering: Laptop) -> None:
    ended = rendering.run("render", cwd=rendering.project)
    assert ended.code == 2, ended
    assert "--image REPOSITORY@sha256:" in ended.err


def test_a_kind_that_has_nothing_to_write_out_says_so(laptop: Laptop) -> None:
    ended = laptop.run("render", cwd=laptop.project)
    assert ended.code == 2, ended
    assert "a memory target has nothing to write out" in ended.err
