"""`shipper version`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option
from shipper.version import __version__


@click.command("version")
@click.option("--exit-codes", is_flag=True, help="List the exit codes and what they mean.")
@json_option
def command(exit_codes: bool, as_json: bool) -> int:
    """Show the version, and the exit codes when asked."""
    if not exit_codes:
        click.echo(f'{{"version": "{__version__}"}}' if as_json else f"shipper {__version__}")
        return 0
    from shipper.reporting.show import show_exit_codes

    show_exit_codes(as_json=as_json)
    return 0
