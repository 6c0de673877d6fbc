"""`shipper status`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, wait_option, where_options
from shipper.operations.where import Where


@click.command("status")
@where_options
@ledger_option
@click.option("--repair", is_flag=True, help="Record what was not, and clear away what dead runs have left.")
@wait_option
@json_option
def command(where: Where, repair: bool, wait: float, as_json: bool) -> int:
    """Show what serves now, how well that is proved, how to go back, and what is not as it should be."""
    from shipper.operations.status import status
    from shipper.reporting import open_sinks
    from shipper.reporting.show import show_status

    if repair:
        from shipper.operations.repair import repair as repair_it

        with open_sinks(as_json=as_json) as sinks:
            return repair_it(where, sinks, wait=wait)
    show_status(status(where), as_json=as_json)
    return 0
