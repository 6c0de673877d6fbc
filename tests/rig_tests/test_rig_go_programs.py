"""Programs that Go builds once: what decides about the key, that one build is enough, and what a failed one says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rig.go_programs import GoPrograms
from tests.rig.helm import build as helm
from tests.rig.kubernetes import go_tool
from tests.rig.machine import Machine
from tests.rig.shell import RigError

pytestmark = pytest.mark.unit

MACHINE = Machine(state=Path("/nowhere"), registry_port=5000, users_engine=True)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoPrograms:
    """Of a module with nothing in it, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.test/shop\n")
    (module / "go.sum").write_text("")
    return GoPrograms("shop", module, ("example.test/shop",))


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A go that says its version, and builds by a line of shell: `go build … -o FOLDER/ PACKAGE`. The file counts."""
    builds = tmp_path / "builds"
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = env ]; then echo go1.99.1; exit; fi\n'
        f'echo "$PWD" >> {builds}\n'
        'if [ -e fails ]; then echo "go: downloading x"; echo "main.go:3: undefined: shop" >&2; exit 1; fi\n'
        'for word; do [ "$before" = -o ] && touch "${word}shop"; before=$word; done\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return builds


def test_they_are_built_in_their_module_and_then_only_found(programs: GoPrograms, go: Path) -> None:
    assert programs.look() is None
    folder = programs.make(MACHINE)
    assert folder.name.endswith("-go1.99.1")
    assert [file.name for file in folder.iterdir()] == ["shop"]
    assert (programs.look(), programs.make(MACHINE)) == (folder, folder)
    assert go.read_text().split() == [str(programs.module)]


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_other_pins_are_another_build(programs: GoPrograms, go: Path, name: str) -> None:
    folder = programs.make(MACHINE)
    (programs.module / name).write_text("// another\n")
    assert programs.look() is None
    assert programs.make(MACHINE) != folder


def test_a_build_that_fails_says_why_and_leaves_nothing(programs: GoPrograms, go: Path) -> None:
    (programs.module / "fails").touch()
    with pytest.raises(RigError, match=r"go build failed: main\.go:3: undefined: shop \(.*build\.log\)"):
        programs.make(MACHINE)
    assert programs.look() is None


def test_without_go_what_any_go_has_built_is_found(
    programs: GoPrograms, go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = programs.make(MACHINE)
    monkeypatch.setattr(go_tool, "find", lambda wanted: None)
    assert programs.look() == folder


def test_helm_is_the_version_that_its_module_pins() -> None:
    assert helm.version().startswith("3.")
    assert "tool helm.sh/helm/v3/cmd/helm\n" in (helm.MODULE / "go.mod").read_text()
