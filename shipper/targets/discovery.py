"""Finding adapters: the entry-point group `shipper.targets`, ours and third parties' alike."""

from __future__ import annotations

import difflib
from typing import Any

from shipper.errors import UsageError
from shipper.targets.protocol import TargetKind

GROUP = "shipper.targets"


def kinds() -> list[str]:
    """The kinds that are installed, by name."""
    from importlib.metadata import entry_points

    return sorted({point.name for point in entry_points(group=GROUP)})


def load(kind: str) -> TargetKind:
    """The adapter of this kind. Raises UsageError with the nearest name, or naming the extra to install."""
    from importlib.metadata import entry_points

    points = entry_points(group=GROUP, name=kind)
    if not points:
        known = kinds()
        near = difflib.get_close_matches(kind, known, n=1)
        raise UsageError(
            f'no target kind "{kind}" is installed',
            hint=f'did you mean "{near[0]}"?' if near else f"installed kinds: {', '.join(known) or 'none'}",
        )
    try:
        found: Any = next(iter(points)).load()
    except ModuleNotFoundError as error:
        raise UsageError(
            f'the target kind "{kind}" needs the module {error.name}',
            hint=f'in a checkout of shipper: pip install ".[{_EXTRAS.get(kind, kind)}]"',
        ) from error
    loaded: TargetKind = found
    return loaded


_EXTRAS = {"lambda": "aws", "ecs": "aws", "cloudrun": "gcp", "knative": "kubernetes"}
