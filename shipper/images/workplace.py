"""The private files of one build: what the builder reports, and the build secrets. Gone when the build is over."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipper.model.secret import Secret


@dataclass(frozen=True)
class Workplace:
    """Paths: where the builder writes its metadata, and each secret's file (0600) by the secret's name."""

    metadata: Path
    secrets: Mapping[str, Path]


@contextlib.contextmanager
def workplace(secrets: Sequence[Secret]) -> Iterator[Workplace]:
    """A directory that nobody else can open, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="shipper-build-") as name:
        directory = Path(name)
        files = {secret.name: directory / f"secret-{i}" for i, secret in enumerate(secrets)}
        for secret in secrets:
            _write_private(files[secret.name], secret.reveal())
        yield Workplace(directory / "metadata.json", files)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is a descriptor
        file.write(content)
