"""Writing a configuration in a test, and what a user is told about it."""

from __future__ import annotations

from pathlib import Path

from shipper.config import validate


def written(folder: Path, text: str | bytes, name: str = "shipper.toml") -> Path:
    """The file, with `text` as it is."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def told(folder: Path, text: str | bytes, environment: str | None = "dev", name: str = "shipper.toml") -> str:
    """Everything that is said about this configuration, as it is shown."""
    problems = validate(written(folder, text, name), environment)
    lines = [line for problem in problems for line in problem.lines()]
    return "\n".join(lines)
