"""Which target: a configured name, a kind or a URL; and the check of a target's own settings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shipper.config.document import Document, read
from shipper.config.explain import validated
from shipper.config.nearest import did_you_mean
from shipper.config.overlay import Merged, merged
from shipper.config.positions import KeyPath, Positions
from shipper.config.problem import ConfigProblems, in_order
from shipper.errors import UsageError
from shipper.model.printable import printable
from shipper.model.settings import Settings, TargetSettings

DEFAULT_KIND = "docker"
# A URL's scheme is the kind, except for other ways to the same kind.
_SCHEMES = {"ssh": "docker", "unix": "docker", "tcp": "docker"}

FromUrl = Callable[[str, str], Mapping[str, Any]]


def choose_target(settings: Settings, target: str | None, kinds: Sequence[str], from_url: FromUrl) -> TargetSettings:
    """The target meant by `--target` (None: the configured default, else the only one, else docker).

    A configured name comes first, then a URL (`from_url(kind, url)` gives the kind's settings), then a kind: the one
    configured target of that kind, or that kind with its defaults. Raises UsageError with the nearest name.
    """
    asked = target if target is not None else settings.target
    if asked is None:
        return _only_one(settings)
    if asked in settings.targets:
        return settings.targets[asked]
    if "://" in asked:
        return _by_url(asked, kinds, from_url)
    if asked in kinds:
        return _by_kind(settings, asked)
    known = list(dict.fromkeys([*settings.targets, *kinds]))
    raise UsageError(
        f'there is no target "{printable(asked)}"', hint=did_you_mean(asked, known, what="targets and kinds")
    )


def check_target_settings(path: Path, settings: Settings, target: TargetSettings, model: type[BaseModel]) -> BaseModel:
    """The target's own settings as the kind's model, strictly. Raises ConfigProblems with file, line and key."""
    source, where = _source(path, settings, target)
    made, problems = validated(source, where, model, dict(target.settings))
    if made is None:
        raise ConfigProblems(in_order(problems), message=f'the settings of target "{target.name}" are wrong')
    return made


def _only_one(settings: Settings) -> TargetSettings:
    if not settings.targets:
        return TargetSettings(name=DEFAULT_KIND, kind=DEFAULT_KIND)
    if len(settings.targets) == 1:
        return next(iter(settings.targets.values()))
    names = list(settings.targets)
    raise UsageError(
        f"which target? configured are {printable(', '.join(names))}",
        hint=f'choose with --target {names[0]}, or write target = "{names[0]}" at the top of the file',
    )


def _by_kind(settings: Settings, kind: str) -> TargetSettings:
    configured = [one for one in settings.targets.values() if one.kind == kind]
    if len(configured) > 1:
        names = ", ".join(one.name for one in configured)
        raise UsageError(f"several targets are of kind {kind}: {printable(names)}", hint="choose one by its name")
    return configured[0] if configured else TargetSettings(name=kind, kind=kind)


def _by_url(url: str, kinds: Sequence[str], from_url: FromUrl) -> TargetSettings:
    if not re.fullmatch(r"[\x21-\x7e]{1,2048}", url):
        raise UsageError("the target's URL has spaces or control characters, or is too long", hint="check --target")
    if re.search(r"://[^/@]*:[^/@]*@", url):
        raise UsageError("the target's URL has a password in it", hint="leave it out; use the platform's own login")
    scheme = url.split("://", 1)[0]
    kind = scheme if scheme in kinds else _SCHEMES.get(scheme, scheme)
    if kind not in kinds:
        schemes = [*kinds, *(alias for alias, target in _SCHEMES.items() if target in kinds)]
        raise UsageError(
            f'no target kind takes "{printable(scheme, 40)}://"', hint=did_you_mean(scheme, schemes, what="schemes")
        )
    return TargetSettings(name=_name_from(kind, url), kind=kind, settings=dict(from_url(kind, url)))


def _name_from(kind: str, url: str) -> str:
    """`docker://` is docker; another place of that kind gets a name of its own, at most 40 characters."""
    rest = re.sub(r"[^a-z0-9]+", "-", url.split("://", 1)[1].lower()).strip("-")
    if not rest:
        return kind
    name = f"{kind}-{rest}"
    return name if len(name) <= 40 else f"{name[:31].rstrip('-')}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _source(path: Path, settings: Settings, target: TargetSettings) -> tuple[Merged, KeyPath]:
    """Where the target is written; one that came from --target has only a name."""
    if target.name in settings.targets:
        return merged(read(path), settings.service.environment), ("targets", target.name)
    nowhere = Document(
        path, f"--target {target.name}", {target.name: target.settings}, Positions({}, {}), on_disk=False
    )
    return merged(nowhere, settings.service.environment), (target.name,)
