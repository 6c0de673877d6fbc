"""Projects on disk, and a reporter that remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from shipper.images.context import BuildContext, open_context
from shipper.model import ImageSettings, ServiceSettings


class Told:
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float | None, float | None]] = []
        self.lines: list[tuple[str, str]] = []
        self.remarks: list[str] = []

    def progress(self, text: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        self.steps.append((text, done, total))

    def log(self, line: str, stream: str = "stdout") -> None:
        self.lines.append((stream, line))

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def evidence(self, evidence: object) -> None:
        raise AssertionError("images give no evidence")

    def emit(self, event: object) -> None:
        raise AssertionError("images emit no other events")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., ServiceSettings]:
    """Write files below a fresh directory and describe the service in it."""

    def write(files: Mapping[str, str | bytes]) -> ServiceSettings:
        root = tmp_path / "project"
        for name, content in {"Dockerfile": "FROM scratch\n", **files}.items():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        return ServiceSettings(service="images-unit", root=str(root))

    return write


@pytest.fixture
def context_of(project: Callable[..., ServiceSettings]) -> Callable[..., BuildContext]:
    """The build context of a project with these files."""

    def opened(files: Mapping[str, str | bytes], **image: str) -> BuildContext:
        return open_context(project(files), ImageSettings(**image))

    return opened
