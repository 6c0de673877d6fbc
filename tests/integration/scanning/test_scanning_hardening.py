"""What reading the scanner again brought to light: silence that looked like a pass, and paths that told too much."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shipper.errors import Interrupted, ScannerError
from shipper.model import Image, ImageSettings, ServiceSettings, Source
from shipper.scanning.places import find_places
from shipper.scanning.program import find_program
from shipper.scanning.trivy import TrivyScanner
from tests.savedimage import SavedImage, save_image

if TYPE_CHECKING:
    from tests.rig.api import Rig

pytestmark = pytest.mark.integration

TOKEN = "ghp" + "_" + "".join("A1b2C3d4E5f6G7h8J9k0"[i % 20] for i in range(0, 36 * 7, 7))
SOURCE = Source(commit=None, commit_time=None, dirty=False, context_digest="sha256:" + "1" * 64, files=1, size=1)


class Run:
    """A run that can be cancelled from another thread."""

    remaining: float | None = None

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.waiting = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._asked.is_set()

    def cancel(self) -> None:
        self._asked.set()

    def check(self) -> None:
        if self.cancelled:
            raise Interrupted("stopped")

    def wait(self, seconds: float) -> bool:
        self.waiting.set()
        return self._asked.wait(seconds)

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        if self.cancelled:
            callback()
        yield


def copy_nothing(service: ServiceSettings, image: ImageSettings, directory: Path) -> None:
    directory.mkdir()


@pytest.fixture
def scanner(trivy_rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrivyScanner:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHIPPER_TRIVY_OFFLINE", "1")
    shutil.copytree(trivy_rig.trivy_cache / "db", tmp_path / "cache" / "db")
    return TrivyScanner(copy_context=copy_nothing, binary=str(trivy_rig.trivy), cache=tmp_path / "cache")


def image_of(saved: SavedImage) -> Image:
    return Image(
        config_digest=saved.config_digest,
        source_digest=SOURCE.context_digest,
        platform="linux/amd64",
        engine_id=saved.config_digest,
        reference="shop:test",
        diff_ids=saved.diff_ids,
        size=1000,
    )


@pytest.mark.parametrize(
    "text", ["FROMM python\n", "FROM python:3.11\nONBUILD\n", "FROM python:3.11\nRUN <<EOF\nno end\n"]
)
def test_a_dockerfile_that_the_scanner_cannot_parse_does_not_pass(
    scanner: TrivyScanner, tmp_path: Path, text: str
) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    service = ServiceSettings(service="shop", root=str(tmp_path))
    found = scanner.lint(service, ImageSettings(), SOURCE, Run())
    assert found.status == "failed"
    assert "cannot parse Dockerfile" in found.reason


def test_findings_and_bill_name_the_image_and_no_path_of_this_machine(scanner: TrivyScanner, tmp_path: Path) -> None:
    saved = save_image(tmp_path / "image.tar", packages={"numpy": "2.0.0"}, env=[f"X={TOKEN}"])
    found = scanner.scan_image(image_of(saved), saved.path, Run())
    bill = scanner.sbom(image_of(saved), found, Run())
    assert any(one.kind == "secret" and one.where.startswith("the image's configuration") for one in found.findings)
    assert str(tmp_path) not in "".join(finding.model_dump_json() for finding in found.findings)
    written = Path(bill.path).read_text()
    assert json.loads(written)["metadata"]["component"]["name"] == "shop:test"
    assert str(tmp_path) not in written


def test_other_layers_than_those_that_were_built_are_refused(scanner: TrivyScanner, tmp_path: Path) -> None:
    saved = save_image(tmp_path / "image.tar")
    other = image_of(saved).model_copy(update={"diff_ids": saved.diff_ids[:1]})
    with pytest.raises(ScannerError, match="layers"):
        scanner.scan_image(other, saved.path, Run())


def test_waiting_for_another_process_download_ends_when_the_run_is_cancelled(
    scanner: TrivyScanner, tmp_path: Path
) -> None:
    run, ended = Run(), []
    service = ServiceSettings(service="shop", root=str(tmp_path))

    def scan() -> None:
        with pytest.raises(Interrupted):
            scanner.scan_source(service, ImageSettings(), SOURCE, run)
        ended.append("interrupted")

    with (find_places(tmp_path / "cache").state / "database.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=scan, daemon=True)
        thread.start()
        assert run.waiting.wait(30)
        run.cancel()
        thread.join(10)
        assert ended == ["interrupted"]


@pytest.mark.parametrize("path", [".:/usr/bin:/bin", ":/usr/bin:/bin"])
def test_a_program_of_the_working_directory_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    hostile = tmp_path / "trivy"
    hostile.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hostile.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHIPPER_TRIVY", raising=False)
    monkeypatch.setenv("PATH", path)
    with contextlib.suppress(ScannerError):  # unless the machine has one of its own
        find_program()
    assert not (tmp_path / "ran").exists()
