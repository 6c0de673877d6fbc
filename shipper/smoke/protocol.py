"""What the smoke stage asks for."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from shipper.model import HealthSettings, Image, RunSettings, ServiceSettings, Smoke, SmokeSettings
from shipper.model.context import Cancellation, Reporter, Secrets


@runtime_checkable
class Candidates(Protocol):
    """Runs a candidate as production would, and asks it."""

    def try_out(
        self,
        image: Image,
        service: ServiceSettings,
        run: RunSettings,
        health: HealthSettings,
        smoke: SmokeSettings,
        secrets: Secrets,
        report: Reporter,
        cancel: Cancellation,
    ) -> Smoke:
        """Evidence, good or bad. Raises only when the test itself could not run; leaves no container behind."""

    def world(self) -> str:
        """Engine id and version: where it was tried."""
