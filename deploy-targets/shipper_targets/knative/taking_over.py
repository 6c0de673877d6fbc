"""A plan over a revision that is not ours: what it loses first, what it gets in a few lines, nothing left out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shipper.model import Change
from shipper_targets.knative.fields import ALONE, OF_CONTAINER

_ORDER = ("remove", "change")


def lost_first(template: Sequence[Change], whole: Iterable[Change]) -> Iterator[Change]:
    """What goes, what changes, what becomes of the Service; then what the template has besides."""
    for action in _ORDER:
        yield from (one for one in template if one.action == action)
    yield from whole
    yield from told_together([one for one in template if one.action not in _ORDER])


def told_together(added: Sequence[Change]) -> Iterator[Change]:
    """Variables and words of commands one by one; then all of one part of the template in one line, with its values."""
    groups: dict[str, list[Change]] = {}
    for one in sorted(added, key=lambda one: not one.subject.startswith(ALONE)):
        groups.setdefault(_part(one.subject), []).append(one)
    for part, found in groups.items():
        if len(found) == 1:
            yield found[0]
            continue
        told = (f"{one.subject.removeprefix(f'{part}.')} {one.after}" for one in found)
        yield Change(action="create", subject=part, after=", ".join(told))


def _part(path: str) -> str:
    """Such as template.labels, template.container.startupProbe; the path itself where it is told alone."""
    if path.startswith(ALONE):
        return path
    parts = path.split(".")
    return ".".join(parts[: 3 if path.startswith(OF_CONTAINER) else 2])
