"""How this machine gets to a place, and what the place is: the one is asked for, the other was recorded. Pure."""

from __future__ import annotations

from pydantic import BaseModel

from shipper.model import TargetSettings
from shipper.targets import TargetKind


def as_released(
    recorded: TargetSettings | None, asked: TargetSettings, kind: TargetKind, *, by_url: bool
) -> TargetSettings:
    """The place as it was released to, reached as we reached it just now. `by_url`: what the URL says comes first.

    How to get there (an address) differs from machine to machine; everything else is the place's own.
    """
    if recorded is None or recorded.kind != asked.kind:
        return asked
    own = {key: value for key, value in recorded.settings.items() if key not in reach(kind.settings_model)}
    settings = {**own, **asked.settings} if by_url else {**asked.settings, **own}
    return TargetSettings(name=recorded.name, kind=asked.kind, settings=settings)


def reach(model: type[BaseModel]) -> frozenset[str]:
    """The settings that say how this machine gets to the place: marked `json_schema_extra={"reach": True}`."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("reach")
    )
