"""preflight of `shipper publish`: somebody else deploys the image: the target is asked for its platform alone."""

from __future__ import annotations

from shipper.errors import ConfigError, CredentialsError, PlatformError, UnreachableError, UsageError
from shipper.model import Problem, Readiness, Settings, TargetSettings
from shipper.model.context import Configuration, Reporter, Secrets
from shipper.model.settings import native_secrets
from shipper.stages.preflight import own_problems, refusal
from shipper.targets import Target

USUAL = "linux/amd64"
"""What is built for where nobody says another platform."""

_REPOSITORY = "image.repository"


def preflight(
    settings: Settings,
    chosen: TargetSettings,
    target: Target,
    secrets: Secrets,
    configuration: Configuration,
    report: Reporter,
) -> Readiness:
    """What the configuration says by itself, and the platform.

    Raises PreflightRefused (2) with every problem; for a value that the smoke test cannot have UsageError (2),
    CredentialsError (32) or UnreachableError (33).
    """
    problems = [*own_problems(settings, target, tried=True)]
    if settings.image.repository is None and all(one.key != _REPOSITORY for one in problems):
        problems.append(_nowhere())
    if problems:
        raise refusal(chosen.name, [one.told_of(chosen.name, configuration.place_of) for one in problems])
    _require_values(settings, secrets)
    return Readiness(target=chosen.name, kind=chosen.kind, platform=_platform(settings, chosen, target, report))


def _nowhere() -> Problem:
    """A target that stores images is released to without a registry; nothing is published without one."""
    return Problem(
        code=2,
        key=_REPOSITORY,
        message="an image is published to a registry, and none is configured",
        hint='set repository = "registry.example.com/team/name" under [image]',
    )


def _platform(settings: Settings, chosen: TargetSettings, target: Target, report: Reporter) -> str:
    """As configured, else the target's own; the usual one where it cannot be asked from here."""
    if settings.image.platform is not None:
        return settings.image.platform
    report.progress(f"asking {chosen.name} for its platform")
    try:
        return target.default_platform
    except (PlatformError, UsageError, CredentialsError, UnreachableError) as error:
        report.remark(f"{chosen.name} cannot be asked for its platform: {error}")
    report.remark(f'built for {USUAL}: [image] platform = "…" says another, and then nobody is asked')
    return USUAL


def _require_values(settings: Settings, secrets: Secrets) -> None:
    """Those of the platform's own that the smoke test needs: that it cannot have them is found before the build."""
    native = native_secrets(settings.run.secrets)
    needed = sorted(name for name in native if name not in settings.smoke.secrets)
    if not needed or not settings.smoke.enabled:
        return
    try:
        secrets.trial()
    except ConfigError:
        raise
    except UsageError as error:
        stand_ins = ", ".join(f'{name} = "env:{name}"' for name in needed)
        raise UsageError(
            f"the smoke test needs the value of {', '.join(needed)}, and the target cannot be asked: {error.message}",
            hint=f"give it stand-ins: [smoke.secrets] {stand_ins}",
        ) from error
