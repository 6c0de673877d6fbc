"""What a command's imports cost, by package: from the lines that `python -X importtime` writes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_LINE = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)$", re.M)


@dataclass(frozen=True)
class Imported:
    """A package: milliseconds in its own modules, and in its root module with all that this one pulled in."""

    package: str
    own: float
    pulled: float | None
    """None when its root module was not imported, or does next to nothing."""


def imported(said: str, among: tuple[str, ...] = ("google", "google.cloud", "shipper")) -> list[Imported]:
    """The packages, dearest first. `among` are namespaces: what counts is the package below."""
    own: Counter[str] = Counter()
    pulled: dict[str, float] = {}
    for alone, together, name in _LINE.findall(said):
        package = _package(name, among)
        own[package] += int(alone)
        if name == package and int(together) >= 1000:
            pulled[package] = int(together) / 1000
    return [Imported(package, micro / 1000, pulled.get(package)) for package, micro in own.most_common()]


def _package(name: str, among: tuple[str, ...]) -> str:
    depth = 1
    parts = name.split(".")
    while ".".join(parts[:depth]) in among and depth < len(parts):
        depth += 1
    return ".".join(parts[:depth])
