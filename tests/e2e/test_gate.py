"""The gate: findings refuse, a broken scanner refuses too, and a hostile repository changes nothing."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import Host
from tests.e2e.projects import (
    fixture_token,
    hostile_environment,
    write_hostile,
    write_secret,
    write_service,
    write_vulnerable,
)

pytestmark = pytest.mark.e2e


def tags(host: Host, repository: str) -> list[str]:
    """What the registry holds under this name, asked beside shipper."""
    name = repository.removeprefix(f"{host.rig.registry}/")
    try:
        with urllib.request.urlopen(f"http://{host.rig.registry}/v2/{name}/tags/list", timeout=10) as answer:
            return list(json.load(answer)["tags"] or [])
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return []


def test_a_fixable_critical_finding_is_refused_and_nothing_is_pushed(host: Host, tmp_path: Path) -> None:
    repository = f"{host.rig.registry}/e2e/{host.namespace}"
    project = write_vulnerable(tmp_path / "shop", settings=host.settings(image={"repository": repository}))
    ended = host.release(project.folder)
    assert ended.code == 12, ended
    assert "shipper-fixture-vulnerable" in ended.said
    assert "2.0" in ended.said
    assert tags(host, repository) == []
    assert host.containers(every=True) == []
    assert "publish" not in ended.stages()


def test_every_reason_is_named_at_once_and_the_lowest_code_wins(host: Host, tmp_path: Path) -> None:
    settings = host.settings(image={"max_size": "1MB"})
    project = write_vulnerable(tmp_path / "shop", settings=settings)
    ended = host.release(project.folder)
    assert ended.code == 12, ended
    assert {refusal["code"] for refusal in ended.finished["refusals"]} == {12, 16}


def test_a_finding_that_nobody_can_fix_is_told_and_does_not_refuse(host: Host, tmp_path: Path) -> None:
    project = write_vulnerable(tmp_path / "shop", package="shipper-fixture-unfixed", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    scans = [event["evidence"] for event in ended.events if event["event"] == "evidence"]
    assert any("shipper-fixture-unfixed" in json.dumps(found) for found in scans)


@pytest.mark.sample(1)
@pytest.mark.parametrize("where", ["source", "image", "deleted-layer"])
def test_a_secret_is_refused_and_never_shown(host: Host, tmp_path: Path, where: str) -> None:
    project = write_secret(tmp_path / "shop", where=where, settings=host.settings())  # type: ignore[arg-type]
    ended = host.release(project.folder)
    assert ended.code == 12, ended
    kept = "".join(path.read_text(errors="replace") for path in host.home.rglob("*") if path.is_file())
    assert fixture_token() not in ended.stdout + ended.stderr + kept


def test_a_build_argument_that_looks_like_a_secret_is_refused_and_never_shown(host: Host, tmp_path: Path) -> None:
    token = fixture_token()
    project = write_service(
        tmp_path / "shop", settings=host.settings(image={"build_args": {"GITHUB_TOKEN": token}}), git=False
    )
    dockerfile = project.folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "ARG GITHUB_TOKEN\nRUN echo using $GITHUB_TOKEN\n")
    ended = host.release(project.folder)
    assert ended.code in (10, 12), ended
    assert "GITHUB_TOKEN" in ended.said
    kept = "".join(path.read_text(errors="replace") for path in host.home.rglob("*") if path.is_file())
    assert token not in ended.stdout + ended.stderr + kept


def test_what_dockerignore_keeps_out_is_no_finding(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    (project.folder / ".env").write_text(f"GITHUB_TOKEN={fixture_token()}\n")
    ended = host.release(project.folder)
    assert ended.code == 0, ended


def test_without_a_scanner_nothing_passes(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder, env={"SHIPPER_TRIVY": str(tmp_path / "no-such-trivy")})
    assert ended.code == 13, ended
    assert host.containers(every=True) == []


def test_a_scanner_that_fails_is_no_pass(host: Host, tmp_path: Path) -> None:
    broken = tmp_path / "trivy"
    broken.write_text('#!/bin/sh\n[ "$1" = version ] || [ "$1" = --version ] && exec "$REAL" "$@"\nexit 1\n')
    broken.write_text(broken.read_text().replace("$REAL", str(host.rig.trivy)))
    broken.chmod(0o755)
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder, env={"SHIPPER_TRIVY": str(broken)})
    assert ended.code == 13, ended


def test_without_a_database_nothing_passes(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    empty = tmp_path / "cache"
    empty.mkdir()
    ended = host.release(project.folder, env={"SHIPPER_TRIVY_CACHE": str(empty), "SHIPPER_TRIVY_OFFLINE": "1"})
    assert ended.code == 13, ended
    assert "database" in ended.said


def test_a_database_of_last_week_is_refused(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    cache = _copied_cache(host, tmp_path)
    metadata = cache / "db" / "metadata.json"
    old = json.loads(metadata.read_text())
    old["UpdatedAt"] = (datetime.now(UTC) - timedelta(days=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata.write_text(json.dumps(old))
    ended = host.release(project.folder, env={"SHIPPER_TRIVY_CACHE": str(cache), "SHIPPER_TRIVY_OFFLINE": "1"})
    assert ended.code == 13, ended
    assert "8" in ended.said


def test_unexpected_json_is_no_pass(host: Host, tmp_path: Path) -> None:
    liar = tmp_path / "trivy"
    liar.write_text(
        f"#!{sys.executable}\n"
        "import os, subprocess, sys\n"
        f"done = subprocess.run([{str(host.rig.trivy)!r}, *sys.argv[1:]])\n"
        "outputs = [word for word in sys.argv if word.endswith('.json') and os.path.exists(word)]\n"
        "if sys.argv[1] == 'image':\n"
        "    for path in outputs:\n"
        "        open(path, 'w').write('{\"Results\": \"none\"}')\n"
        "sys.exit(done.returncode)\n"
    )
    liar.chmod(0o755)
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder, env={"SHIPPER_TRIVY": str(liar)})
    assert ended.code == 13, ended


def test_a_hostile_repository_changes_nothing_and_runs_nothing(host: Host, tmp_path: Path) -> None:
    project = write_hostile(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder, env=hostile_environment(project.folder))
    assert ended.code == 12, ended
    assert "shipper-fixture-vulnerable" in ended.said
    assert project.marker is not None
    assert not project.marker.exists()
    assert host.containers(every=True) == []


def test_the_fixture_database_is_never_a_clean_bill_of_health(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.run("release", "-C", project.folder)
    assert ended.code == 0, ended
    assert "fixture" in ended.stdout + ended.stderr


def _copied_cache(host: Host, tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    shutil.copytree(host.rig.trivy_cache / "db", cache / "db")
    return cache
