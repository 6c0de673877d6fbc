"""From a file to the Settings of one service in one environment, or every problem at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shipper.config.between import misfits
from shipper.config.checks import contradictions
from shipper.config.document import Document, read
from shipper.config.explain import MOST, unknown_key, validated
from shipper.config.find import service_name_from
from shipper.config.nearest import did_you_mean, nearest
from shipper.config.odd import without_odd_values
from shipper.config.overlay import DEFAULT_ENVIRONMENT, Merged, merged
from shipper.config.positions import KeyPath
from shipper.config.printable import found
from shipper.config.problem import ConfigProblem, ConfigProblems, in_order, problem
from shipper.config.sections import IN_ENVIRONMENT, SECTIONS, TOP_LEVEL, home_of
from shipper.errors import UsageError
from shipper.model.printable import printable
from shipper.model.settings import Name, ServiceSettings, Settings, TargetSettings

MOST_ENVIRONMENTS = 50
MOST_TARGETS = 100
_NAME = TypeAdapter(Name)
_NAME_WORDS = "lower-case letters, digits and hyphens, at most 40, starting with a letter"


@dataclass
class _Findings:
    """Problems as they are collected over the sections of one merged configuration."""

    merged: Merged
    problems: list[ConfigProblem] = field(default_factory=list)

    def add(self, path: KeyPath, message: str, **more: str) -> None:
        self.problems.append(problem(self.merged.document.file, self.merged.position(path), path, message, **more))


def load(path: Path, *, environment: str = DEFAULT_ENVIRONMENT, service: str | None = None) -> Settings:
    """The Settings of this environment. `service`, when given, must be the file's own.

    Raises ConfigProblems (exit 2) with every problem that this environment has, UsageError for another service.
    """
    settings, problems = _resolve(read(_absolute(path)), environment)
    if settings is None:
        raise ConfigProblems(problems)
    if service is not None and service != settings.service.service:
        raise _other_service(service, settings.service.service)
    return settings


def service_in(path: Path) -> str | None:
    """The name that the file gives its service, nothing else of it looked at; None when it gives none.

    Raises ConfigProblems when it cannot be read.
    """
    name = read(_absolute(path)).table.get("service")
    return name if isinstance(name, str) else None


def validate(path: Path, environment: str | None = None) -> list[ConfigProblem]:
    """Every problem of this environment, in the order of the file; of all environments when None. Empty: in order."""
    path = _absolute(path)
    try:
        document = read(path)
        names = [environment] if environment is not None else _all_environments(document)
    except ConfigProblems as error:
        return list(error.problems)
    problems: list[ConfigProblem] = []
    for name in names:
        if len(problems) < MOST:  # enough to correct for now
            problems += _resolve(document, name)[1]
    return in_order(problems)


def environments(path: Path) -> list[str]:
    """`dev` and the environments that the file has. Raises ConfigProblems when it cannot be read."""
    return _all_environments(read(_absolute(path)))


def _all_environments(document: Document) -> list[str]:
    return list(dict.fromkeys([DEFAULT_ENVIRONMENT, *_environment_names(document)]))


def _resolve(document: Document, environment: str) -> tuple[Settings | None, list[ConfigProblem]]:
    findings = _Findings(merged(document, environment))
    _check_names(findings)
    _check_environment(findings, environment)
    root = document.path.parent
    service = _service(findings, environment, root)
    sections = {name: _section(findings, name, root) for name in SECTIONS}
    targets = _targets(findings)
    default = _default_target(findings, targets)
    _check_between(findings, sections)
    problems = in_order(findings.problems)
    if problems or service is None:
        return None, problems
    return Settings(service=service, targets=targets, target=default, **sections), []


def _check_names(findings: _Findings) -> None:
    """Unknown keys at the top and in this environment."""
    table, environment = findings.merged.document.table, findings.merged.environment
    _unknown(findings, table, TOP_LEVEL, ())
    own = findings.merged.overlay
    if own:
        _unknown(findings, own, IN_ENVIRONMENT, ("environments", environment))


def _unknown(findings: _Findings, table: Mapping[str, Any], known: tuple[str, ...], path: KeyPath) -> None:
    document = findings.merged.document
    for name in [name for name in table if name not in known][:MOST]:
        where = (*path, name)
        if path and name in TOP_LEVEL:
            message, hint = f"{name} is the same in every environment", "remove it"
            findings.problems.append(problem(document.file, document.position(where), where, message, hint=hint))
        else:
            findings.problems.append(unknown_key(document.file, document.position(where), where, known, home_of(name)))


def _check_environment(findings: _Findings, environment: str) -> None:
    document = findings.merged.document
    written = document.table.get("environments", {})
    where: KeyPath = ("environments",)
    if not isinstance(written, Mapping):
        _not_a_table(findings, where, written)
        return
    if len(written) > MOST_ENVIRONMENTS:
        message = f"{len(written)} environments, at most {MOST_ENVIRONMENTS} are possible"
        findings.problems.append(problem(document.file, document.position(where), where, message, hint="remove some"))
    for name, overlay in list(written.items())[:MOST]:
        if not _is_name(name):
            message = f"not a valid name; expected {_NAME_WORDS}"
            place = document.position((*where, name))
            findings.problems.append(problem(document.file, place, (*where, name), message, hint="rename it"))
        elif not isinstance(overlay, Mapping):
            _not_a_table(findings, (*where, name), overlay)
    if environment not in written and environment != DEFAULT_ENVIRONMENT:
        known = _all_environments(document)
        position = document.positions.found.get((*document.prefix, "environments"))
        message = f'there is no environment "{printable(environment)}"'
        near = nearest(environment, known)
        hint = did_you_mean(environment, known, what="environments")
        hint += f"; or add [environments.{environment}]" if _is_name(environment) and not near else ""
        findings.problems.append(problem(document.file, position, where, message, nearest=near, hint=hint))


def _environment_names(document: Document) -> list[str]:
    written = document.table.get("environments", {})
    return [name for name in written if _is_name(name)][:MOST_ENVIRONMENTS] if isinstance(written, Mapping) else []


def _service(findings: _Findings, environment: str, root: Path) -> ServiceSettings | None:
    """The service's name is the same everywhere: an overlay cannot change it."""
    table = findings.merged.document.table
    if "service" not in table:
        suggestion = service_name_from(root.name)
        findings.add(
            ("service",),
            "missing; expected the service's name",
            expected=_NAME_WORDS,
            hint=f'write service = "{suggestion}" as the first line',
        )
        return None
    plain, odd = without_odd_values(table["service"])
    if odd or not _is_name(plain):
        shown = found(("service",), table["service"])
        hint = f'write service = "{service_name_from(str(plain))}"' if isinstance(plain, str) else ""
        message = f"found {shown}, expected {_NAME_WORDS}"
        findings.add(("service",), message, found=shown, expected=_NAME_WORDS, hint=hint)
        return None
    if not _is_name(environment):
        return None
    return ServiceSettings(service=plain, environment=environment, root=str(root))


def _section(findings: _Findings, name: str, root: Path) -> Any:
    model = SECTIONS[name]
    table = findings.merged.table.get(name, {})
    if not isinstance(table, Mapping):
        _not_a_table(findings, (name,), table)
        return None
    section, problems = validated(findings.merged, (name,), model, table, home_of=home_of)
    findings.problems += problems
    wrong = {one.path[1] for one in problems if len(one.path) > 1}
    rest = section or validated(findings.merged, (name,), model, _without(table, wrong))[0]
    for one in contradictions(name, rest, root, wrong) if rest is not None else ():
        findings.add((name, *one.path), one.message, hint=one.hint)
    return section


def _check_between(findings: _Findings, sections: Mapping[str, Any]) -> None:
    run, smoke = sections["run"], sections["smoke"]
    if run is None or smoke is None:
        return
    environments = findings.merged.document.table.get("environments")
    for one in misfits(run, smoke, environments if isinstance(environments, Mapping) else {}):
        findings.add(one.path, one.message, hint=one.hint)


def _without(table: Mapping[str, Any], keys: Collection[str | int]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}


def _targets(findings: _Findings) -> dict[str, TargetSettings]:
    written = findings.merged.table.get("targets", {})
    if not isinstance(written, Mapping):
        _not_a_table(findings, ("targets",), written)
        return {}
    if len(written) > MOST_TARGETS:
        findings.add(("targets",), f"{len(written)} targets, at most {MOST_TARGETS} are possible", hint="remove some")
    made = {name: _target(findings, name, written[name]) for name in list(written)[:MOST_TARGETS]}
    return {name: target for name, target in made.items() if target is not None}


def _target(findings: _Findings, name: str, table: Any) -> TargetSettings | None:
    """The kind's own settings stay as they are until the kind is known: see check_target_settings."""
    path: KeyPath = ("targets", name)
    if not _is_name(name):
        findings.add(path, f"not a valid name; expected {_NAME_WORDS}", expected=_NAME_WORDS, hint="rename it")
        return None
    if not isinstance(table, Mapping):
        _not_a_table(findings, path, table)
        return None
    if "kind" not in table:
        hint = f'add kind = "docker" to [targets.{name}]; `shipper targets` lists the kinds'
        findings.add((*path, "kind"), "missing; expected the kind of target", hint=hint)
        return None
    own = {key: value for key, value in table.items() if key != "kind"}
    plain, odd = without_odd_values(own)
    for where, value, expected in odd:
        shown = found((*path, *where), value)
        findings.add((*path, *where), f"found {shown}, expected {expected}", hint="write it in quotes")
    if not _is_name(table["kind"]):
        shown = found((*path, "kind"), table["kind"])
        findings.add((*path, "kind"), f'found {shown}, expected a kind such as "docker"', found=shown)
        return None
    return TargetSettings(name=name, kind=table["kind"], settings=plain)


def _default_target(findings: _Findings, targets: Mapping[str, TargetSettings]) -> str | None:
    """`target = …`: a configured name, a kind or a URL, as for --target."""
    default = findings.merged.table.get("target")
    if default is None:
        return None
    if not isinstance(default, str) or not re.fullmatch(r"[\x21-\x7e]{1,2048}", default):
        shown = found(("target",), default)
        expected = "the name of a target, a kind or a URL"
        findings.add(("target",), f"found {shown}, expected {expected}", found=shown, expected=expected)
        return None
    written = findings.merged.table.get("targets")
    configured = list(written) if isinstance(written, Mapping) else []
    if default in configured or "://" in default or default in _kinds():
        return default
    message = f'there is no target "{printable(default)}"'
    hint = did_you_mean(default, [*configured, *_kinds()], what="targets and kinds")
    findings.add(("target",), message, nearest=nearest(default, configured), hint=hint)
    return None


def _kinds() -> list[str]:
    """Asked only when no configured target has the name: looking for entry points takes milliseconds."""
    from shipper.targets.discovery import kinds

    return kinds()


def _not_a_table(findings: _Findings, path: KeyPath, value: Any) -> None:
    shown = found(path, value)
    header = ".".join(str(part) for part in path)
    hint = f"write a line [{printable(header)}] and the keys below it"
    findings.add(path, f"found {shown}, expected a table", found=shown, expected="a table", hint=hint)


def _is_name(value: Any) -> bool:
    try:
        _NAME.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _other_service(asked: str, own: str) -> UsageError:
    return UsageError(
        f'there is no service "{printable(asked)}" here; the configuration is for "{own}"',
        hint=f"use --service {own}, or name another directory with -C",
    )


def _absolute(path: Path) -> Path:
    """With the folder's links followed and the file's own kept: the root of the service is where the file is found."""
    return path.parent.resolve() / path.name
