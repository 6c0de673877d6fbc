"""`shipper status`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, where_options
from shipper.operations.where import Where


@click.command("status")
@where_options
@json_option
def command(where: Where, as_json: bool) -> int:
    """Show what serves now, how well that is proved, and what was changed by hand."""
    from shipper.operations.status import status
    from shipper.reporting.show import show_status

    show_status(status(where), as_json=as_json)
    return 0
