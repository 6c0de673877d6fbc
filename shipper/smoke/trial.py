"""What every step of one trial shares: the candidate, what is expected of it, and whom to tell."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shipper.model import HealthSettings, Image, RunSettings, SmokeSettings
from shipper.model.context import Cancellation, Reporter
from shipper.model.secret import Secret, redact
from shipper.smoke.candidate import Candidate

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Trial:
    """One candidate being tried. `started` is the monotonic time of its start."""

    candidate: Candidate
    image: Image
    engine_platform: str
    run: RunSettings
    health: HealthSettings
    smoke: SmokeSettings
    secrets: tuple[Secret, ...]
    report: Reporter
    cancel: Cancellation
    started: float

    @property
    def user(self) -> str:
        """The user that it runs as; empty means root."""
        return self.run.user or self.image.user

    def clean(self, text: str) -> str:
        """Without secret values, and without what could steer a terminal."""
        return redact(_CONTROLS.sub("", _ESCAPES.sub("", text)), self.secrets)

    def log_lines(self) -> tuple[str, ...]:
        """What it printed, clean."""
        return tuple(line.rstrip() for line in self.clean(self.candidate.log()).splitlines())
