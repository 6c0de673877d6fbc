"""`shipper config show|check|schema`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, where_options
from shipper.operations.where import Where


@click.group("config")
def command() -> None:
    """Show or check the configuration."""


@command.command("show")
@where_options
@json_option
def show(where: Where, as_json: bool) -> int:
    """Show the resolved configuration, and where each value comes from."""
    from shipper.operations.configuration import show_configuration
    from shipper.reporting.show import show_text

    show_text(show_configuration(where, as_json=as_json))
    return 0


@command.command("check")
@where_options
@json_option
def check(where: Where, as_json: bool) -> int:
    """Check the configuration of one environment; every problem at once (exit 2)."""
    from shipper.operations.configuration import check_configuration
    from shipper.reporting.show import show_checked

    show_checked(check_configuration(where), as_json=as_json)
    return 0


@command.command("schema")
def schema() -> int:
    """Print the JSON Schema of shipper.toml, for editors."""
    from shipper.operations.configuration import schema_text
    from shipper.reporting.show import show_text

    show_text(schema_text())
    return 0
