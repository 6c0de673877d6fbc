"""Real Trivy reads what the rig wrote: it finds what was planted, and nothing else."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.rig import bolt, database
from tests.rig.api import Rig, ensure

pytestmark = pytest.mark.integration

CLEAN = """\
fastapi==0.110.0
Flask==2.2.0
numpy==1.26.4
onnxruntime==1.17.0
pydantic==2.6.0
uvicorn==0.29.0
werkzeug==0.11
"""


def scan(rig: Rig, kind: str, *target: str, cache: Path | None = None) -> dict[str, str]:
    """Trivy's findings as {package: severity}; fails on anything but a clean run."""
    flags = ["--skip-db-update", "--skip-java-db-update", "--skip-version-check", "--offline-scan", "--quiet"]
    cached = ["--cache-dir", str(cache or rig.trivy_cache), "--cache-backend", "memory"]
    done = subprocess.run(
        [str(rig.trivy), kind, *flags, *cached, "--scanners", "vuln", "--format", "json", *target],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout).get("Results") or []
    found = [flaw for result in results for flaw in result.get("Vulnerabilities") or []]
    return {flaw["PkgName"]: flaw["Severity"] for flaw in found}


def test_trivy_finds_every_planted_package(trivy_rig: Rig, tmp_path: Path) -> None:
    wanted = {advisory.package: advisory.severity for advisory in database.ADVISORIES if not advisory.os_package}
    (tmp_path / "requirements.txt").write_text("".join(f"{package}==1.0\n" for package in wanted))

    assert scan(trivy_rig, "fs", str(tmp_path)) == wanted


def test_trivy_finds_nothing_once_they_are_fixed(trivy_rig: Rig, tmp_path: Path) -> None:
    fixable = [advisory for advisory in database.ADVISORIES if advisory.below and not advisory.os_package]
    (tmp_path / "requirements.txt").write_text("".join(f"{a.package}=={a.below}\n" for a in fixable))

    assert scan(trivy_rig, "fs", str(tmp_path)) == {}


def test_trivy_finds_nothing_in_what_people_really_use(trivy_rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(CLEAN)

    assert scan(trivy_rig, "fs", str(tmp_path)) == {}


@pytest.mark.parametrize(("source", "found"), [("openssl", {}), ("shipper-fixture-debian", {"lib": "CRITICAL"})])
def test_trivy_matches_debian_packages_by_their_source(
    trivy_rig: Rig, tmp_path: Path, source: str, found: Mapping[str, str]
) -> None:
    status = f"Package: lib\nStatus: install ok installed\nArchitecture: amd64\nSource: {source}\nVersion: 1.0-1\n\n"
    files = {
        "etc/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
        "etc/debian_version": "12.5\n",
        "var/lib/dpkg/status": status,
    }
    (tmp_path / "image.tar").write_bytes(image_archive(files))

    assert scan(trivy_rig, "image", "--input", str(tmp_path / "image.tar")) == found


def test_a_database_of_many_pages_is_read_to_its_last_package(trivy_rig: Rig, tmp_path: Path) -> None:
    many = tuple(database.Advisory(f"CVE-2099-{n:04}", f"package-{n:04}", "HIGH", below="2") for n in range(3000))
    folder = tmp_path / "cache" / "db"
    folder.mkdir(parents=True)
    (folder / "trivy.db").write_bytes(bolt.dump(database.tree(many)))
    (folder / "metadata.json").write_bytes((trivy_rig.trivy_cache / "db" / "metadata.json").read_bytes())
    (tmp_path / "requirements.txt").write_text("package-0000==1\npackage-1500==1\npackage-2999==1\n")

    found = scan(trivy_rig, "fs", str(tmp_path / "requirements.txt"), cache=tmp_path / "cache")

    assert sorted(found) == ["package-0000", "package-1500", "package-2999"]


def test_each_set_up_dates_the_database_anew_and_marks_it_as_a_fixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIPPER_RIG_DIR", str(tmp_path))
    folder = ensure(["database"]).trivy_cache / "db"
    old = {"Version": 2, "UpdatedAt": "2020-01-01T00:00:00Z", "NextUpdate": "2020-01-02T00:00:00Z"}
    (folder / "metadata.json").write_text(json.dumps(old))

    ensure(["database"])

    updated = datetime.fromisoformat(json.loads((folder / "metadata.json").read_text())["UpdatedAt"])
    assert abs((datetime.now(UTC) - updated).total_seconds()) < 60
    assert json.loads((folder / "fixture.json").read_text()) == {"fixture": True, "note": database.NOTE}


def image_archive(files: Mapping[str, str]) -> bytes:
    """What `docker save` would write for an image of one layer with these files."""
    layer = tar({name: text.encode() for name, text in files.items()})
    diff_id = "sha256:" + hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["fixture:1"], "Layers": ["layer.tar"]}]).encode()
    return tar({"config.json": config, "layer.tar": layer, "manifest.json": manifest})


def tar(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
