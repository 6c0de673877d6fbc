"""The stores that a ledger runs on: a directory, an S3-compatible server, a stand-in for GCS; started once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import needed_or_skipped
from tests.integration.ledger.ledger_workers import Workers
from tests.rig import stores
from tests.rig.shell import RigError
from tests.rig.stores import RunningStore


@pytest.fixture(scope="session")
def s3() -> Iterator[RunningStore]:
    """An S3-compatible server."""
    yield from _running(stores.s3)


@pytest.fixture(scope="session")
def gcs() -> Iterator[RunningStore]:
    """A stand-in for Google Cloud Storage."""
    yield from _running(stores.gcs)


@pytest.fixture(params=["file", "s3", "gcs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunningStore:
    """Each kind of store that several processes can share."""
    if request.param == "file":
        return RunningStore("directory", "file", "", {}, tmp_path / "ledger")
    found = request.getfixturevalue(request.param)
    assert isinstance(found, RunningStore)
    return found


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """Processes that write to a ledger; none outlives the test. No credentials of this machine's user are near."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "STORAGE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    with Workers() as started:
        yield started


def _running(start: Callable[[], object]) -> Iterator[RunningStore]:
    try:
        with start() as running:  # type: ignore[attr-defined]
            yield running
    except RigError as error:
        needed_or_skipped(str(error))
