"""The directory in which buildx keeps our builders (BUILDX_CONFIG): not the one that the user's are in."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from shipper.errors import ConfigError


def builder_home(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/shipper/buildx`, else below the platform's own place for state; made where it is missing.

    Raises ConfigError where it cannot be written.
    """
    home = environ.get("XDG_STATE_HOME", "")
    if Path(home).is_absolute():
        directory = Path(home, "shipper", "buildx")
    else:
        from platformdirs import user_state_path

        directory = user_state_path("shipper") / "buildx"
    with _writing(directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


def has_instance(home: Path, name: str) -> bool:
    """Whether buildx has this builder there (its file is renamed into place, so it is never half of one)."""
    return (home / "instances" / name).exists()


def keep_file(path: Path, content: str) -> None:
    """A file with this very content, however many processes write it at once. Raises ConfigError."""
    with _writing(path.parent):
        if path.exists() and path.read_text() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            beside.write_text(content)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"builders cannot be kept in {directory}: {(error.strerror or str(error)).lower()}",
            hint="set XDG_STATE_HOME to a directory that you can write to",
        ) from error
