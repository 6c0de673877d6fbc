"""Lines of the rig in /etc/hosts, each marked as such. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

FILE = Path("/etc/hosts")
MARK = "# shipper test rig"


def wanted(address: str, names: Sequence[str]) -> str:
    return "".join(f"{address} {name} {MARK}\n" for name in names)


def are_there(address: str, names: Sequence[str], file: Path = FILE) -> bool:
    """Whether exactly these lines of ours are in the file."""
    return "".join(_ours(file.read_text())) == wanted(address, names)


def put(address: str, names: Sequence[str], file: Path = FILE) -> None:
    """Replace our lines by these. In place: /etc/hosts may be mounted by itself and cannot be renamed over."""
    text = file.read_text()
    others = _without(text)
    end = "" if not others or others.endswith("\n") else "\n"
    new = others + end + wanted(address, names)
    if new != text:
        file.write_text(new)


def remove(file: Path = FILE) -> bool:
    """Take our lines out; True when there were any."""
    text = file.read_text()
    if not _ours(text):
        return False
    file.write_text(_without(text))
    return True


def _ours(text: str) -> list[str]:
    return [line for line in text.splitlines(keepends=True) if line.rstrip().endswith(MARK)]


def _without(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.rstrip().endswith(MARK))
