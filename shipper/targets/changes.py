"""What is different between two configurations, leaf by leaf, as people may see it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from shipper.model import Change
from shipper.model.printable import has_credentials, looks_secret, printable
from shipper.model.quantities import show_size

HIDDEN = "(not shown)"
"""Instead of a value of `run.env` whose name or content looks like a secret."""
_LONGEST = 200
"""Characters of a value."""


def configuration_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """One line for each value that differs; `run.env.LOG_LEVEL` is the subject of one.

    `before` and `after` are what `Settings.runtime()` returns. What is hidden is compared all the same.
    """
    was, will_be = dict(_leaves(before)), dict(_leaves(after))
    for path in sorted({*was, *will_be}):
        if was.get(path) != will_be.get(path):
            yield change_of(".".join(path), _shown(path, was.get(path)), _shown(path, will_be.get(path)))


def change_of(subject: str, before: str, after: str) -> Change:
    """One line of a plan; nothing before is a creation, nothing after a removal."""
    action: Literal["create", "change", "remove"] = "change" if before and after else "create" if after else "remove"
    return Change(action=action, subject=subject, before=before, after=after)


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, (*path, str(key)))
        elif item not in (None, [], ()):
            yield (*path, str(key)), item


def _shown(path: tuple[str, ...], value: Any) -> str:
    if value is None:
        return ""
    if "env" in path[:-1] and (looks_secret(path[-1]) or has_credentials(str(value))):
        return HIDDEN
    if path[-1] == "memory" and isinstance(value, int):
        return show_size(value)
    return printable(str(value), _LONGEST)
