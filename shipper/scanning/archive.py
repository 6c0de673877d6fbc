"""A look at a saved image's configuration, before the scanner's cache of layers may remember its commands."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shipper.model.json_text import parse_json
from shipper.scanning.arguments import looks_secret

_LARGEST = 16 << 20
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)")


def may_hold_secrets(archive: Path) -> bool:
    """Whether history or environment of the image in this docker-archive look like secrets; True when unreadable."""
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _member(tar, "manifest.json")
            config = _member(tar, manifest[0]["Config"])
        return any(looks_secret(name, value) for name, value in _assigned(config))
    except (OSError, tarfile.TarError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return True  # the scan itself will say what is wrong with it


def _member(tar: tarfile.TarFile, name: str) -> Any:
    found = tar.getmember(name)
    file = tar.extractfile(found)
    if file is None or found.size > _LARGEST:
        raise ValueError(f"{name} is no small file")
    return parse_json(file.read())


def _assigned(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for line in config.get("config", {}).get("Env") or ():
        name, _, value = line.partition("=")
        yield name, value
    for step in config.get("history") or ():
        for match in _ASSIGNED.finditer(step.get("created_by", "")):
            yield match[1], match[2].strip("\"'")
