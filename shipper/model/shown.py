"""What the reading commands show: `status`, `plan`, `targets`, `doctor`, `config check`, `pipeline show`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shipper.model.noun import Noun
from shipper.model.target import Observation, Plan, Traits, Verdict


class Status(Noun):
    """`shipper status`."""

    service: str
    environment: str
    target: str
    observation: Observation
    verdict: Verdict | None = Field(description="None when nothing serves.")


class Planned(Noun):
    """`shipper plan`."""

    service: str
    environment: str
    target: str
    plan: Plan
    image_known: bool


class InstalledKind(Noun):
    """A kind of target that can be used here; `problem` says what is missing when it cannot."""

    kind: str
    traits: Traits | None
    problem: str = ""


class ConfiguredTarget(Noun):
    """A place named in the configuration."""

    name: str
    kind: str
    settings: dict[str, object]


class Targets(Noun):
    """`shipper targets`."""

    installed: tuple[InstalledKind, ...]
    configured: tuple[ConfiguredTarget, ...]
    configuration: str = Field(description="Path of the configuration; empty when there is none here.")


class Check(Noun):
    """One thing that the doctor looked at."""

    name: str
    state: Literal["ok", "warning", "failed"]
    found: str
    hint: str = ""
    code: int = Field(default=0, description="The exit code that a release would end with.")


class Checkup(Noun):
    """`shipper doctor`."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0, or the lowest code of what failed."""
        return min((check.code for check in self.checks if check.state == "failed"), default=0)


class CheckedConfiguration(Noun):
    """`shipper config check`: it is in order, else ConfigError was raised."""

    path: str
    service: str
    environment: str
    targets: tuple[str, ...]


class DescribedPipeline(Noun):
    """`shipper pipeline show`: the derived order, as levels of stages that may run side by side."""

    name: str
    goal: str
    seeds: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    drawing: str
