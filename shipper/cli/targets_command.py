"""`shipper targets`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, where_options
from shipper.operations.where import Where


@click.command("targets")
@where_options
@json_option
def command(where: Where, as_json: bool) -> int:
    """List the configured targets and the installed kinds."""
    from shipper.operations.targets import targets
    from shipper.reporting.show import show_targets

    show_targets(targets(where), as_json=as_json)
    return 0
