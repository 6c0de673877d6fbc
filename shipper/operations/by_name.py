"""Opening a service by its name alone, on a machine that does not have its repository.

Where it is: a place that this user released to before, a URL, or a kind. What it is: the record of its newest release
on the target itself, which carries its whole configuration and the place's name.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from shipper.config import ResolvedSecrets, choose_target
from shipper.errors import UsageError
from shipper.model import ServiceSettings, Settings, TargetSettings
from shipper.model.settings import Name
from shipper.operations.places import remembered
from shipper.operations.reach import as_released, located
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, from_url
from shipper.targets import discovery

_NAME = TypeAdapter(Name)


def open_by_name(where: Where) -> Workspace:
    """Raises UsageError (2) when the names are none, or when it is not clear which place is meant."""
    service, environment = _name(where.service, "--service"), _name(where.environment, "--env")
    places = remembered(service, environment, os.environ)
    known = {place.target.name: place.target for place in places}
    settings = Settings(service=ServiceSettings(service=service, environment=environment, root=""), targets=known)
    chosen = choose_target(settings, where.target, kinds=discovery.kinds(), from_url=from_url)
    kind = discovery.load(chosen.kind)
    _check(chosen, kind.settings_model)
    chosen = located(chosen, kind)
    secrets = ResolvedSecrets(settings, environ={}, root=Path("/"))
    return _as_released(Workspace(None, settings, chosen, kind, secrets, where))


def _as_released(workspace: Workspace) -> Workspace:
    """With the configuration and the place of the newest release; as it is when the target has no record."""
    newest = workspace.newest
    if newest is None:
        _require_known(workspace)
        return workspace
    by_url = "://" in (workspace.where.target or "")
    chosen = as_released(newest.place, workspace.chosen, workspace.kind, by_url=by_url)
    secrets = ResolvedSecrets(newest.settings, environ=os.environ, root=Path("/"), whatever_is_here=True)
    found = Workspace(None, newest.settings, chosen, workspace.kind, secrets, workspace.where)
    vars(found)["newest"] = newest
    return found


def _require_known(workspace: Workspace) -> None:
    """Without a target that was named or remembered, the default one has to have it. Raises UsageError."""
    if workspace.where.target is None and not workspace.settings.targets:
        raise UsageError(
            f'where "{workspace.service}" in {workspace.environment} runs is not known on this machine',
            hint="name its target, such as -t kubernetes://CONTEXT/NAMESPACE, -t ssh://user@host or -t docker://; "
            "or run it in its repository",
        )


def _name(text: str | None, option: str) -> str:
    try:
        return _NAME.validate_python(text, strict=True)
    except ValidationError:
        from shipper.model.printable import printable

        raise UsageError(
            f'{option} "{printable(text or "", 60)}" is no valid name',
            hint="names are lower-case letters, digits and hyphens, at most 40, starting with a letter",
        ) from None


def _check(chosen: TargetSettings, model: type[BaseModel]) -> None:
    """Raises UsageError with every setting that the kind does not take."""
    try:
        model.model_validate(dict(chosen.settings))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise UsageError(
            f'the settings of target "{chosen.name}" are wrong', hint="correct the URL of --target", details=problems
        ) from None
