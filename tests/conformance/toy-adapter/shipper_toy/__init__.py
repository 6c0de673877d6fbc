"""A toy target: `toy:///directory`. The smallest adapter that is whole; docs/adapters.md walks through it.

The platform is a directory of files and `python -m shipper_toy.server DIRECTORY`, which answers users by what the
files say. It runs no code: a service answers what its image's labels say (`toy.answers`, `toy.kind`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from shipper.model import Traits
from shipper.targets import Target, TargetContext, UsageError
from shipper_toy.settings import ToySettings


class ToyKind:
    """Implements shipper.targets.TargetKind."""

    kind = "toy"
    settings_model = ToySettings
    traits = Traits(
        strategies=("all-at-once", "blue-green", "canary"),
        probes_revisions=True,
        needs_registry=False,
        holds_lock=True,
    )

    def from_url(self, url: str) -> dict[str, Any]:
        """`toy:///directory`."""
        parts = urlsplit(url)
        if parts.scheme != "toy" or parts.netloc or not parts.path:
            raise UsageError(f'"{url}" is not a toy target', hint="write toy:///absolute/directory")
        return {"root": parts.path}

    def connect(self, context: TargetContext) -> Target:
        """Nothing is read before the first call."""
        from shipper_toy.adapter import ToyTarget

        return ToyTarget(context, ToySettings.model_validate(dict(context.own)), self.traits)


kind = ToyKind()
