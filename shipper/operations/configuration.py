"""config show|check|schema."""

from __future__ import annotations

import json

from shipper.config import ConfigProblems, find, json_schema, show, validate
from shipper.model.shown import CheckedConfiguration
from shipper.operations.where import Where
from shipper.operations.workspace import open_workspace


def show_configuration(where: Where, *, as_json: bool) -> str:
    """The resolved configuration: as text with the origin of each value, or as JSON."""
    workspace = open_workspace(where)
    if as_json:
        return json.dumps(workspace.settings.model_dump(mode="json"), ensure_ascii=False, indent=2)
    return show(workspace.settings)


def check_configuration(where: Where) -> CheckedConfiguration:
    """Every environment. Raises ConfigError (2) with every problem at once."""
    workspace = open_workspace(where)
    path = find(where.directory)
    if problems := validate(path, None):
        raise ConfigProblems(problems)
    return CheckedConfiguration(
        path=str(path),
        service=workspace.settings.service.service,
        environment=workspace.settings.service.environment,
        targets=tuple(workspace.settings.targets),
    )


def schema_text() -> str:
    """The JSON Schema of shipper.toml."""
    return json.dumps(json_schema(), indent=2)
