"""How this machine gets to a place, and what the place is: the one is asked for, the other was recorded. Pure."""

from __future__ import annotations

from pydantic import BaseModel

from shipper.model import TargetSettings
from shipper.targets import TargetKind

LOCATES = "locates"
"""Marks a setting that says which place it is, from whichever machine: a namespace, a project."""

UNLESS_SAID = "unless-said"
"""Marks a setting that is taken from the record where this machine does not say another."""


def as_released(
    recorded: TargetSettings | None, asked: TargetSettings, kind: TargetKind, *, by_url: bool
) -> TargetSettings:
    """The place as it was released to, reached as we reached it just now. `by_url`: what the URL says comes first.

    How to get there differs from machine to machine, and what this one says about it is never replaced; of what it does
    not say, the record has what is likely the same from here (an address). Everything else is the place's own.
    """
    if recorded is None or recorded.kind != asked.kind:
        return asked
    ways = reach(kind.settings_model)
    own = {key: value for key, value in recorded.settings.items() if key not in ways}
    likely = {key: value for key, value in recorded.settings.items() if ways.get(key) == UNLESS_SAID}
    settings = {**likely, **own, **asked.settings} if by_url else {**likely, **asked.settings, **own}
    return located(TargetSettings(name=recorded.name, kind=asked.kind, settings=settings), kind)


def located(target: TargetSettings, kind: TargetKind) -> TargetSettings:
    """With its location, such as "kubernetes, namespace shops"; "" for a kind that has no such settings."""
    named = [name for name in _marked(kind.settings_model, LOCATES) if target.settings.get(name) is not None]
    parts = (target.kind, *(f"{name} {target.settings[name]}" for name in named))
    return target.model_copy(update={"location": ", ".join(parts) if named else ""})


def reach(model: type[BaseModel]) -> dict[str, object]:
    """The settings that say how a machine gets to the place, and their mark `json_schema_extra={"reach": …}`."""
    return _marked(model, "reach")


def _marked(model: type[BaseModel], mark: str) -> dict[str, object]:
    """Each setting with this mark, and what the mark says."""
    return {
        name: field.json_schema_extra[mark]
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get(mark)
    }
