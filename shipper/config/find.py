"""Finding the configuration: shipper.toml or `[tool.shipper]`, from a directory up to the repository's root."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from shipper.config.document import MAX_BYTES, PYPROJECT_TOML, SHIPPER_TOML, read
from shipper.config.problem import file_name
from shipper.config.regular import read_regular
from shipper.config.repository import is_repository, repository_of
from shipper.errors import ConfigError
from shipper.model.printable import printable


class NoConfiguration(ConfigError):
    """There is no shipper.toml and no `[tool.shipper]` here."""

    cause = "no-configuration"


def find(directory: Path | None = None) -> Path:
    """The absolute path of the file that configures the service.

    Looks in `directory` (the working directory when None) and its parents up to the repository's root; outside a
    repository in the directory alone, so that nobody else's file is picked up. Raises NoConfiguration when there is
    none, ConfigError when one folder has both files or the directory cannot be looked into.
    """
    start = _absolute(directory)
    for folder in _folders(start):
        candidates = [name for name in (SHIPPER_TOML, PYPROJECT_TOML) if _configures(folder / name)]
        if len(candidates) == 2:
            raise _both(folder)
        if candidates:
            return folder / candidates[0]
    raise _none(start)


def _absolute(directory: Path | None) -> Path:
    shown = file_name(directory) if directory else "the working directory"
    try:
        start = Path(os.path.realpath(directory or Path.cwd(), strict=True))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot look into {shown}: {reason.lower()}", hint="name a directory with -C") from error
    if not start.is_dir():
        raise ConfigError(f"{shown} is not a directory", hint="-C takes the directory that has shipper.toml")
    return start


def _folders(start: Path) -> Iterator[Path]:
    repository = repository_of(start)
    yield start
    if not is_repository(repository):
        return
    for folder in start.parents:
        if not folder.is_relative_to(repository):
            return
        yield folder


def _configures(path: Path) -> bool:
    if not os.path.lexists(path):
        return False
    return path.name == SHIPPER_TOML or _mentions_shipper(path)


def _mentions_shipper(path: Path) -> bool:
    """Most pyproject.toml are not ours: only one that has the word is read as TOML, and then strictly."""
    try:
        text, _ = read_regular(path, MAX_BYTES)
    except OSError:
        return False  # other tools need pyproject.toml too and will say why it cannot be read
    if not re.search(rb"tool[^\n]*shipper|\[\s*tool\s*\][\s\S]*shipper", text):
        return False
    document = read(path)
    return document.prefix in document.positions.found


def _both(folder: Path) -> ConfigError:
    return ConfigError(
        f"two configurations in {file_name(folder) or '.'}: {SHIPPER_TOML} and [tool.shipper] in {PYPROJECT_TOML}",
        hint="keep one of them and remove the other",
    )


def _none(start: Path) -> NoConfiguration:
    repository = repository_of(start)
    here = printable(file_name(start), 60)
    where = f"{here} or above, up to the repository's root" if is_repository(repository) else here
    return NoConfiguration(
        f"no {SHIPPER_TOML} in {where}",
        hint=f'write {SHIPPER_TOML} with the line: service = "{service_name_from(start.name)}"',
    )


def service_name_from(text: str) -> str:
    """A valid service name made from any text, such as a folder's name."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    slug = re.sub(r"^[^a-z]+", "", slug)[:40].rstrip("-")
    return slug or "my-service"
