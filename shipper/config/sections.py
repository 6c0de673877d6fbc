"""The shape of shipper.toml: which tables there are, and which model each is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel

from shipper.config.shape import keys, schema_of
from shipper.model.settings import (
    HealthSettings,
    ImageSettings,
    LedgerSettings,
    RollbackSettings,
    RolloutSettings,
    RunSettings,
    ScaleSettings,
    ScanPolicy,
    SmokeSettings,
)

SECTIONS: Mapping[str, type[BaseModel]] = {
    "image": ImageSettings,
    "run": RunSettings,
    "scale": ScaleSettings,
    "health": HealthSettings,
    "smoke": SmokeSettings,
    "scan": ScanPolicy,
    "rollout": RolloutSettings,
    "rollback": RollbackSettings,
    "ledger": LedgerSettings,
}
TOP_LEVEL = ("service", "target", *SECTIONS, "targets", "environments")
IN_ENVIRONMENT = ("target", *SECTIONS, "targets")


@cache
def home_of(key: str) -> str:
    """The sections that have a key, for one written in the wrong place: `port` -> `[run]`; empty when none has."""
    return " or ".join(f"[{name}]" for name, model in SECTIONS.items() if key in keys(schema_of(model)))
