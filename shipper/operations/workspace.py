"""Opening a workspace: configuration, the chosen target's adapter, and the secrets it may need."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from shipper.config import ResolvedSecrets, check_target_settings, choose_target, find, load
from shipper.model import Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.operations.where import Where
from shipper.targets import Target, TargetContext, TargetKind, discovery


@dataclass(frozen=True)
class Workspace:
    """Everything that a command needs to know before it talks to anybody."""

    path: Path
    settings: Settings
    chosen: TargetSettings
    kind: TargetKind
    secrets: Secrets

    def connect(self) -> Target:
        """The target. Lazy: no I/O before the first call."""
        return self.kind.connect(
            TargetContext(name=self.chosen.name, settings=self.settings, own=self.chosen.settings, secrets=self.secrets)
        )


def open_workspace(where: Where) -> Workspace:
    """Load, choose and check. Raises ConfigError or UsageError (2) with every problem at once."""
    path = find(where.directory)
    settings = load(path, environment=where.environment)
    chosen = choose_target(settings, where.target, kinds=discovery.kinds(), from_url=_from_url)
    kind = discovery.load(chosen.kind)
    check_target_settings(path, settings, chosen, kind.settings_model)
    secrets = ResolvedSecrets(settings, environ=os.environ, root=path.parent)
    return Workspace(path=path, settings=settings, chosen=chosen, kind=kind, secrets=secrets)


def _from_url(kind: str, url: str) -> dict[str, object]:
    return discovery.load(kind).from_url(url)
