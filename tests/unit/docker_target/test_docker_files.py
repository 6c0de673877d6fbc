"""Files of a container that does not run, as the engine archives them."""

from __future__ import annotations

import io
import tarfile
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests

from shipper.targets import Transient
from shipper_targets.docker.proxy import files_of

pytestmark = pytest.mark.unit


def engine(answer: bytes | str) -> Any:
    """Answers every request for an archive with these bytes, or with 404 and these words."""

    def get_archive(container: str, path: str) -> tuple[list[bytes], dict[str, str]]:
        if isinstance(answer, bytes):
            return [answer[:700], answer[700:]], {}
        refused = requests.Response()
        refused.status_code = 404
        raise docker.errors.NotFound(answer, response=refused, explanation=answer)

    return SimpleNamespace(api=SimpleNamespace(get_archive=get_archive))


def archived(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def test_files_are_read_by_their_path() -> None:
    found = files_of(engine(archived({"shop/current/version": "3", "shop/state.json": "{}"})), "proxy", "/state/shop")
    assert found == {"shop/current/version": "3", "shop/state.json": "{}"}


def test_what_is_not_there_is_nothing() -> None:
    assert files_of(engine("Could not find the file /state/shop in container proxy"), "proxy", "/state/shop") == {}


def test_a_container_that_went_meanwhile_is_no_proof_that_nothing_is_there() -> None:
    with pytest.raises(Transient, match="replaced while it was read"):
        files_of(engine("No such container: proxy"), "proxy", "/state/shop")
