"""`shipper gc`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, wait_option, where_options
from shipper.operations.where import Where


@click.command("gc")
@where_options
@ledger_option
@click.option("--plan", "only_plan", is_flag=True, help="Show what would go, and why. Writes nothing.")
@click.option(
    "--keep",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Earlier releases to keep, instead of [rollback].",
)
@wait_option
@json_option
def command(where: Where, only_plan: bool, keep: int | None, wait: float, as_json: bool) -> int:
    """Clear away what no way back needs: never what serves, nor the last verified releases."""
    from shipper.operations.gc import gc, plan_gc
    from shipper.reporting import open_sinks
    from shipper.reporting.show_past import show_garbage

    if only_plan:
        show_garbage(plan_gc(where, keep), as_json=as_json)
        return 0
    with open_sinks(as_json=as_json) as sinks:
        return gc(where, keep, sinks, wait=wait)
