"""Opening a workspace: configuration, the chosen target's adapter, and the secrets it may need."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from shipper.config import (
    NoConfiguration,
    ResolvedSecrets,
    Written,
    check_target_settings,
    choose_target,
    find,
    load,
    service_in,
)
from shipper.errors import PlatformError
from shipper.model import Product, Release, Settings, TargetSettings
from shipper.model.context import Cancellation, Reporter, Secrets
from shipper.operations.reach import as_released, located
from shipper.operations.where import Where
from shipper.targets import PinsSecrets, Target, TargetContext, TargetKind, discovery


@dataclass(frozen=True)
class Workspace:
    """Everything that a command needs to know before it talks to anybody.

    `path` is None when the service was named and its configuration is not at hand: then `settings` are those of its
    newest release on the target, as far as the target has it.
    """

    path: Path | None
    settings: Settings
    chosen: TargetSettings
    kind: TargetKind
    secrets: Secrets
    where: Where
    recorded: Release | None = None
    """The newest release's record, when opening has read it."""

    @property
    def service(self) -> str:
        """The service's name."""
        return self.settings.service.service

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.settings.service.environment

    @property
    def configuration(self) -> Written:
        """Where each key is written."""
        return Written(self.path, self.environment)

    @property
    def slices(self) -> tuple[Product, ...]:
        """The settings, whole and in slices: each stage takes what it needs, and nothing else makes it run again."""
        settings = self.settings
        return (
            settings,
            settings.service,
            settings.image,
            settings.run,
            settings.health,
            settings.smoke,
            settings.scan,
            self.chosen,
        )

    def connect(self, report: Reporter | None = None, cancel: Cancellation | None = None) -> Target:
        """The target. Lazy: no I/O before the first call. `report` and `cancel` are for calls that take long."""
        target = self.kind.connect(
            TargetContext(
                name=self.chosen.name,
                settings=self.settings,
                own=self.chosen.settings,
                secrets=self.secrets,
                report=report,
                cancel=cancel,
            )
        )
        if isinstance(target, PinsSecrets) and isinstance(self.secrets, ResolvedSecrets):
            self.secrets.reads_native(target.secret_value, target.secret_versions)
        return target

    @cached_property
    def newest(self) -> Release | None:
        """The newest release that the target itself has a record of; None also when the target cannot be asked."""
        if self.recorded is not None:
            return self.recorded
        try:
            records = self.connect().records()
        except PlatformError:
            return None  # whoever needs the target asks it again, and hears why
        return records[-1] if records else None


def open_workspace(where: Where) -> Workspace:
    """Load, choose and check. Raises ConfigError or UsageError (2) with every problem at once."""
    path = find(where.directory)
    settings = load(path, environment=where.environment, service=where.service)
    chosen = choose_target(settings, where.target, kinds=discovery.kinds(), from_url=from_url)
    kind = discovery.load(chosen.kind)
    check_target_settings(path, settings, chosen, kind.settings_model)
    chosen = located(chosen, kind)
    secrets = ResolvedSecrets(settings, environ=os.environ, root=path.parent)
    return _under_its_name(Workspace(path, settings, chosen, kind, secrets, where))


def open_place(where: Where) -> Workspace:
    """For what needs no sources: also where the configuration is not at hand but the service is named (`--service`).

    A shipper.toml of another service is passed over, unless -C names it. Secrets that have no value here are none.
    Raises ConfigError, UsageError (2).
    """
    return _without_asking_for_secrets(_opened(where))


def _opened(where: Where) -> Workspace:
    if where.service is None:
        return _here(where)
    try:
        path = find(where.directory)
    except NoConfiguration:
        if where.directory is not None:
            raise
        return _by_name(where)
    if where.directory is None and service_in(path) != where.service:
        return _by_name(where)
    return open_workspace(where)


def _without_asking_for_secrets(workspace: Workspace) -> Workspace:
    root = workspace.path.parent if workspace.path is not None else Path("/")
    secrets = ResolvedSecrets(workspace.settings, environ=os.environ, root=root, whatever_is_here=True)
    return replace(workspace, secrets=secrets)


def _here(where: Where) -> Workspace:
    try:
        return open_workspace(where)
    except NoConfiguration as error:
        hint = "go to its directory, or name it: --service NAME, with --target where this machine does not know it"
        raise NoConfiguration(error.message, hint=hint) from error


def from_url(kind: str, url: str) -> dict[str, object]:
    """The kind's own settings from a URL."""
    return discovery.load(kind).from_url(url)


def _by_name(where: Where) -> Workspace:
    from shipper.operations.by_name import open_by_name

    return open_by_name(where)


def _under_its_name(workspace: Workspace) -> Workspace:
    """A target given by URL is the place that was released to before: its name, which finds the ledger, and its own
    settings, such as a port."""
    asked = workspace.where.target or ""
    if "://" not in asked:
        return workspace
    place = workspace.newest.place if workspace.newest is not None else None
    return replace(workspace, chosen=as_released(place, workspace.chosen, workspace.kind, by_url=True))
