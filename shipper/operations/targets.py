"""targets: the places that are configured, and the kinds that are installed."""

from __future__ import annotations

from shipper.config import find, load
from shipper.errors import UsageError
from shipper.model.shown import ConfiguredTarget, InstalledKind, Targets
from shipper.operations.where import Where
from shipper.targets import discovery


def targets(where: Where) -> Targets:
    """Kinds that are installed and targets that are configured; works without a configuration too."""
    configured, path = _configured(where)
    return Targets(
        installed=tuple(_installed(kind) for kind in discovery.kinds()), configured=configured, configuration=path
    )


def _installed(kind: str) -> InstalledKind:
    try:
        return InstalledKind(kind=kind, traits=discovery.load(kind).traits)
    except UsageError as error:
        return InstalledKind(kind=kind, traits=None, problem=f"{error.message}; {error.hint}")


def _configured(where: Where) -> tuple[tuple[ConfiguredTarget, ...], str]:
    try:
        path = find(where.directory)
    except UsageError:
        return (), ""
    settings = load(path, environment=where.environment)
    found = tuple(
        ConfiguredTarget(name=target.name, kind=target.kind, settings=dict(target.settings))
        for target in settings.targets.values()
    )
    return found, str(path)
