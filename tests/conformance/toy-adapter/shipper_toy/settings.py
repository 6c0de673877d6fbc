"""`[targets.<name>] kind = "toy"`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ToySettings(BaseModel):
    """Where the platform is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path = Field(description="The platform's directory.")
