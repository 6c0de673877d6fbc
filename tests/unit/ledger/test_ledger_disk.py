"""A directory as a store: whole files or none."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from shipper.errors import LedgerError
from shipper.ledger.disk import DiskStore
from shipper.ledger.patience import Patience, prove_conditional

pytestmark = pytest.mark.unit


@pytest.fixture(params=["nameless", "named"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiskStore:
    """Both ways to a whole file: without a name until it is linked, and by a name beside it (macOS, NFS)."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return DiskStore(tmp_path / "state" / "ledger")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_not_there_is_absent(store: DiskStore) -> None:
    assert store.get("iris/dev/docker/entries/000000000001.json") is None


def test_only_the_first_creation_counts(store: DiskStore, tmp_path: Path) -> None:
    assert store.create("a/b/1.json", b"first") is True
    assert store.create("a/b/1.json", b"second") is False
    assert store.get("a/b/1.json") == b"first"
    assert files(tmp_path) == ["state/ledger/a/b/1.json"]


def test_putting_overwrites_and_leaves_nothing_beside(store: DiskStore, tmp_path: Path) -> None:
    for body in (b"one", b"two and more", b""):
        store.put("a/hint.json", body)
        assert store.get("a/hint.json") == body
    assert files(tmp_path) == ["state/ledger/a/hint.json"]


def test_a_directory_honours_conditions(store: DiskStore) -> None:
    prove_conditional(store, "a/conditional.json", Patience())


def test_the_file_and_its_directory_are_synced_before_it_counts(
    store: DiskStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, link = os.fsync, os.link

    def syncing(descriptor: int) -> None:
        steps.append("directory" if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir() else "file")
        sync(descriptor)

    def linking(*args: object, **options: object) -> None:
        steps.append("name")
        link(*args, **options)  # type: ignore[arg-type]

    store.create("a/1.json", b"makes the directories")
    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "link", linking)
    store.create("a/2.json", b"{}")
    assert steps == ["file", "name", "directory"]
    assert files(tmp_path) == ["state/ledger/a/1.json", "state/ledger/a/2.json"]


@pytest.mark.parametrize(
    ("number", "words", "hint"),
    [
        (errno.ENOSPC, "no space left on device", "make room"),
        (errno.EROFS, "read-only file system", "who may write there"),
        (errno.EACCES, "permission denied", "who may write there"),
        (errno.EPERM, "no hard links there?", "another file system"),
    ],
)
def test_a_disk_that_refuses_is_named_with_what_to_do(
    store: DiskStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, hint: str
) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refusing)
    with pytest.raises(LedgerError) as caught:
        store.create("a/1.json", b"{}")
    assert str(tmp_path / "state/ledger/a/1.json") in caught.value.message
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert files(tmp_path) == []


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file")
    with pytest.raises(LedgerError, match=r"the ledger cannot create .*: not a directory"):
        DiskStore(tmp_path / "ledger").create("a/1.json", b"{}")


def test_its_url_can_be_opened_again(tmp_path: Path) -> None:
    assert DiskStore(tmp_path / "with space").url == f"file://{tmp_path}/with%20space"
