"""The cache of the control plane's programs: what decides about a key, and what is said when go is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.rig.kubernetes import build, go_tool
from tests.rig.machine import Machine
from tests.rig.shell import RigError

pytestmark = pytest.mark.unit

MACHINE = Machine(state=Path("/nowhere"), registry_port=5000, users_engine=True)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of go/ to change, and an empty cache."""
    copy = tmp_path / "go"
    shutil.copytree(build.MODULE, copy)
    monkeypatch.setattr(build, "MODULE", copy)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return copy


@pytest.fixture
def no_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(go_tool, "_PLACES", ())
    monkeypatch.setattr(go_tool, "is_root", lambda: False)


def kept(name: str) -> Path:
    folder = build.cache() / name
    folder.mkdir(parents=True)
    for program in build.PROGRAMS:
        (folder / program).write_bytes(b"x")
    return folder


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "cmd/knative-rig/main.go"])
def test_every_source_has_a_say_in_the_key(module: Path, name: str) -> None:
    before = build.sources_key()
    (module / name).write_text((module / name).read_text() + "\n// more\n")
    assert build.sources_key() != before


def test_the_manifests_have_a_key_of_their_own(module: Path) -> None:
    programs, manifests = build.sources_key(), build._manifests_folder()
    (module / "crds" / "go.sum").write_text("")
    assert (build.sources_key() == programs, build._manifests_folder() == manifests) == (True, False)


def test_the_pins_are_what_is_said_about_them() -> None:
    pinned = (build.MODULE / "go.mod").read_text()
    assert f"\tk8s.io/kubernetes v{build.KUBERNETES} " in pinned
    assert f"\tgo.etcd.io/etcd/server/v3 v{build.ETCD} " in pinned
    assert f"\tknative.dev/serving v{build.KNATIVE}\n" in pinned
    assert f"sigs.k8s.io/gateway-api v{build.GATEWAY_API}\n" in (build.MODULE / "crds" / "go.mod").read_text()


@pytest.mark.usefixtures("module", "no_go")
def test_without_go_it_says_what_is_needed() -> None:
    assert build.look(MACHINE) is None
    with pytest.raises(RigError, match=r"needs Go 1\.24 or later; there is none: install it"):
        build.make(MACHINE)
    with pytest.raises(RigError, match=r"the control plane is not built: python3 -m tests\.rig up kubernetes"):
        build.programs()


@pytest.mark.usefixtures("no_go")
def test_an_older_go_is_named(module: Path, tmp_path: Path) -> None:
    go = tmp_path / "go-old" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
        with pytest.raises(RigError, match=f"{go} is go1.19.8: install it"):
            build.make(MACHINE)
    assert module.exists()


@pytest.mark.usefixtures("module", "no_go")
def test_what_any_go_built_of_these_sources_is_used_where_there_is_none() -> None:
    kept("0123456789abcdef-go1.26.8")
    assert build.look(MACHINE) is None
    folder = kept(f"{build.sources_key()}-go1.26.8")
    assert build.programs() == folder


@pytest.mark.usefixtures("module")
def test_a_build_that_fails_leaves_nothing_and_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text('#!/bin/sh\n[ "$1" = env ] && { echo go1.26.8; exit; }\necho "no such thing" >&2\nexit 1\n')
    go.chmod(0o755)
    monkeypatch.setattr(go_tool, "_candidates", lambda: iter([go]))
    build.cache().mkdir(parents=True)
    build._manifests_folder().mkdir()
    with pytest.raises(RigError, match=r"go build failed: no such thing \(.*build\.log\)"):
        build.make(MACHINE)
    assert sorted(path.name for path in build.cache().iterdir()) == sorted(
        ["build.log", "lock", build._manifests_folder().name]
    )
