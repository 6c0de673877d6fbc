"""What Knative would refuse of a manifest, one at a time, and how a path in it is written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipper_targets.kubernetes.values import Object

Path = tuple[str | int, ...]

_LABEL_1035 = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_1123 = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Violation:
    """`by_cluster`: another cluster's configuration may allow it."""

    path: Path
    message: str
    by_cluster: bool = False

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {self.message}"


def show_path(path: Path) -> str:
    """As kubectl writes it: spec.template.spec.containers[0].image."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


def is_label(text: Any) -> bool:
    """A DNS label as RFC 1035 has it: a letter first, at most 63 characters."""
    return isinstance(text, str) and _LABEL_1035.fullmatch(text) is not None


def is_loose_label(text: Any) -> bool:
    """A DNS label as RFC 1123 has it: a digit may be first."""
    return isinstance(text, str) and _LABEL_1123.fullmatch(text) is not None


def whole(value: Any) -> bool:
    """A whole number, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def not_of(path: Path, value: Any, kind: str) -> Iterator[Violation]:
    """One when a member is there and is not of this kind: text, number, truth, list or object."""
    fits = {
        "text": lambda: isinstance(value, str),
        "number": lambda: whole(value),
        "truth": lambda: isinstance(value, bool),
        "list": lambda: isinstance(value, list | tuple),
        "object": lambda: isinstance(value, Mapping),
    }
    if value is not None and not fits[kind]():
        yield Violation(path, f"has to be a {kind}, not {value!r}")


def unknown(path: Path, item: Object, known: Sequence[str], *, empty: bool = True) -> Iterator[Violation]:
    """One for each member that is not among `known`. `empty`: such a field of a pod may be there with nothing in it."""
    for key in item:
        if key not in known and not (empty and item[key] in (None, "", [], {})):
            yield Violation((*path, key), "there is no such field here, or Knative does not allow it")


def outside(path: Path, value: Any, low: float, high: float) -> Iterator[Violation]:
    """One when a number is not between these."""
    if isinstance(value, int | float) and not isinstance(value, bool) and not low <= value <= high:
        yield Violation(path, f"{value} is not between {low:g} and {high:g}")
