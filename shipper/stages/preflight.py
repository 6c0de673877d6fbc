"""preflight: everything that would refuse this release at the target, found before the build, all at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from shipper.errors import ConfigError, PlatformError, PreflightRefused, ShipperError, UsageError
from shipper.model import Observation, Problem, Readiness, Settings, TargetSettings, TargetSpec
from shipper.model.context import Configuration, Reporter
from shipper.registries.artifact_names import repository_problem
from shipper.rollout.guards import drift_refusal, refuse_drift
from shipper.rollout.platform_errors import not_written
from shipper.rollout.strategies import strategy_of, unasked_gates
from shipper.smoke.stand_ins import as_tried
from shipper.targets import RunsOnce, StoresImages, Target

CONFIGURATION = 2
"""The code of a problem that says: change the configuration."""

_STRATEGY = "rollout.strategy"

SECOND_LOOK = 1.0
"""Seconds from one look that finds drift to the next."""


def preflight(
    settings: Settings, chosen: TargetSettings, target: Target, configuration: Configuration, report: Reporter
) -> Readiness:
    """The target accepts this release, as far as can be said now.

    Raises PreflightRefused with every problem; its exit code is the lowest of theirs (2, 32 or 33). DriftError (31) for
    what somebody changed by hand, where there is no problem, or none but what the target itself finds to be wrong (2),
    which may be that very change.
    """
    return ready(settings, chosen, target, configuration, report, tried=True)


def ready(
    settings: Settings,
    chosen: TargetSettings,
    target: Target,
    configuration: Configuration,
    report: Reporter,
    *,
    tried: bool,
) -> Readiness:
    """The same; `tried` where the image will go through the smoke test."""
    report.progress(f"asking {chosen.name} whether it can take this release")
    try:
        problems = problems_of(settings, chosen, target, configuration, tried=tried)
        platform = settings.image.platform or target.default_platform
    except PlatformError as error:
        raise not_written(error) from error
    if problems:
        found = drift_behind(problems, settings, chosen, target, report, tried=tried)
        raise refusal(chosen.name, problems) if found is None else drift_refusal(found)
    for text in unasked_gates(settings, target.traits):
        report.remark(text)
    try:
        refuse_drift(looked_at(chosen, target, report))
    except PlatformError as error:
        raise not_written(error) from error
    return Readiness(target=chosen.name, kind=chosen.kind, platform=platform)


def drift_behind(
    problems: Sequence[Problem],
    settings: Settings,
    chosen: TargetSettings,
    target: Target,
    report: Reporter,
    *,
    tried: bool,
) -> Observation | None:
    """What somebody changed by hand, where that may be why the target cannot take this release: a rehearsal runs into
    it. The problems are then told beside it. None: they are what is known.

    A mistake in the configuration alone is one whatever is there; who may not look, or cannot, is told that.
    """
    if any(problem.code != CONFIGURATION for problem in problems) or own_problems(settings, target, tried=tried):
        return None
    try:
        found = looked_at(chosen, target, report)
    except (PlatformError, ShipperError):
        return None
    if not found.drift:
        return None
    for problem in problems:
        report.remark(as_it_is_now(chosen.name, _line(problem)))
    return found


def as_it_is_now(target: str, problem: str) -> str:
    """What the target has against a release, where somebody changed it by hand."""
    return f"as it is now, {target} could not take this release: {problem}"


def looked_at(chosen: TargetSettings, target: Target, report: Reporter) -> Observation:
    """What is there. Its drift is what the rollout would refuse minutes later; it looks again, under the lease.

    Another run may be at work, whose doing is nobody's drift: while an operation is in flight, or when a second look
    finds something else, the rollout decides, and none is told. Raises PlatformError.
    """
    report.progress(f"looking whether {chosen.name} is as shipper left it")
    found = target.observe()
    for text in found.remarks:
        report.remark(text)
    if not found.drift:
        return found
    if found.in_flight is None:
        time.sleep(SECOND_LOOK)
        found, before = target.observe(), found
        if (found.seen, found.drift) == (before.seen, before.drift):
            return found
    return found.model_copy(update={"drift": ()})


def problems_of(
    settings: Settings,
    chosen: TargetSettings,
    target: Target,
    configuration: Configuration,
    *,
    tried: bool = True,
    command: Literal["plan", "release"] = "release",
) -> list[Problem]:
    """What the configuration says by itself, then what the platform says, each with its place. Raises PlatformError.

    `tried`: the image will go through the smoke test. `command`: what has to be permitted.
    """
    own = own_problems(settings, target, tried=tried)
    theirs = target.preflight(TargetSpec(settings=settings, target=chosen.name, command=command))
    if any(one.key == _STRATEGY for one in theirs):  # the target knows better why, and what to do
        own = [one for one in own if one.key != _STRATEGY]
    return [one.told_of(chosen.name, configuration.place_of) for one in (*own, *theirs)]


def own_problems(settings: Settings, target: Target, *, tried: bool) -> list[Problem]:
    """What the configuration says by itself. No I/O."""
    trial = _trial(settings) if tried and settings.smoke.enabled else []
    return [*_shape(settings, target), *trial]


def refusal(target: str, problems: Sequence[Problem]) -> PreflightRefused:
    """Every problem of a preflight as one refusal: one alone is the message, of several each is a line of its own."""
    alone = len(problems) == 1
    return PreflightRefused(
        f"{target} cannot take this release: {what_of(problems[0]) if alone else f'{len(problems)} problems'}",
        [(problem.code, what_of(problem)) for problem in problems],
        hint=(problems[0].hint or "see `shipper doctor`") if alone else "each line says what to do",
        details=() if alone else [_line(problem) for problem in problems],
    )


def what_of(problem: Problem) -> str:
    """`shipper.toml:7:3 run.memory: …`, as `shipper config check` tells it; without the place where none is known."""
    where = " ".join(part for part in (problem.place, problem.key) if part)
    return f"{where}: {problem.message}" if where else problem.message


def _line(problem: Problem) -> str:
    """With what to do."""
    return f"{what_of(problem)} ({problem.hint})" if problem.hint else what_of(problem)


def _shape(settings: Settings, target: Target) -> list[Problem]:
    """What the traits of the kind say, without asking the platform."""
    problems = []
    try:
        strategy_of(settings, target.traits)
    except UsageError as error:
        problems.append(Problem(code=2, key=_STRATEGY, message=error.message, hint=error.hint))
    if settings.image.repository is None and (target.traits.needs_registry or not isinstance(target, StoresImages)):
        problems.append(
            Problem(
                code=2,
                key="image.repository",
                message=f"a {target.kind} target pulls its images from a registry, and none is configured",
                hint='set repository = "registry.example.com/team/name" under [image]',
            )
        )
    elif settings.image.repository is not None and (found := repository_problem(settings.image.repository)):
        problems.append(Problem(code=2, key="image.repository", message=found.message, hint=found.hint))
    if settings.rollout.before is not None and not isinstance(target, RunsOnce):
        problems.append(
            Problem(
                code=2,
                key="rollout.before",
                message=f"a {target.kind} target runs no commands",
                hint="run it yourself before the release, and remove this key",
            )
        )
    return [*problems, *_secrets(settings, target)]


def _trial(settings: Settings) -> list[Problem]:
    """What would keep the smoke test from starting a candidate."""
    try:
        as_tried(settings.run, settings.smoke)
    except ConfigError as error:
        return [Problem(code=2, key="smoke.volumes", message=error.message, hint=error.hint)]
    return []


def _secrets(settings: Settings, target: Target) -> list[Problem]:
    """References that this target cannot take."""
    takes = target.traits.secret_references
    shown = " or ".join(f'"{scheme}:…"' for scheme in takes)
    found = {name: reference.partition(":")[0] for name, reference in settings.run.secrets.items()}
    return [
        Problem(
            code=2,
            key=f"run.secrets.{name}",
            message=f'a {target.kind} target takes no "{scheme}:" references',
            hint=f"write {shown}" if takes else "it takes no secrets at all",
        )
        for name, scheme in found.items()
        if scheme not in takes
    ]
