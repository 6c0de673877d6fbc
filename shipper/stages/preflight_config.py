"""preflight of `shipper release --config-only`: the image serves already, so that nothing of it is tried out here."""

from __future__ import annotations

from shipper.model import Readiness, Settings, TargetSettings
from shipper.model.context import Configuration, Reporter
from shipper.stages.preflight import ready
from shipper.targets import Target


def preflight(
    settings: Settings, chosen: TargetSettings, target: Target, configuration: Configuration, report: Reporter
) -> Readiness:
    """The target accepts this configuration. Raises PreflightRefused as every preflight."""
    return ready(settings, chosen, target, configuration, report, tried=False)
