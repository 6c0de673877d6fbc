"""The repository around a directory, and whether a path stays inside it."""

from __future__ import annotations

import os
from pathlib import Path


def repository_of(directory: Path) -> Path:
    """The closest directory upwards that has a `.git`; the directory itself when there is none."""
    start = Path(os.path.realpath(directory))
    return next((folder for folder in (start, *start.parents) if is_repository(folder)), start)


def is_repository(directory: Path) -> bool:
    """A `.git` directory, or the `.git` file of a worktree or submodule."""
    return os.path.lexists(directory / ".git")


def inside(repository: Path, path: Path) -> bool:
    """Whether the path, with every link followed, stays in the repository. A path with a NUL never does.

    A link that leads back to itself counts as inside: reading it fails with its own reason.
    """
    try:
        real = Path(os.path.realpath(path))
    except (OSError, ValueError):
        return False
    return real.is_relative_to(os.path.realpath(repository))
