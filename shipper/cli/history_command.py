"""`shipper history`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, where_options
from shipper.operations.where import Where


@click.command("history")
@where_options
@ledger_option
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@json_option
def command(where: Where, limit: int, as_json: bool) -> int:
    """Show the releases here, newest first: how each ended, who made it, how long it served."""
    from shipper.operations.history import history
    from shipper.reporting.show_past import show_history

    show_history(history(where, limit), as_json=as_json)
    return 0
