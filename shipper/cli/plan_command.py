"""`shipper plan`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, where_options
from shipper.operations.where import Where

CHANGES = 3


@click.command("plan")
@where_options
@click.option(
    "--exit-code",
    "tell_changes",
    is_flag=True,
    help="Exit with 3 when there is something to change, or was changed by hand.",
)
@json_option
def command(where: Where, tell_changes: bool, as_json: bool) -> int:
    """Show what a release would change. Builds nothing, pushes nothing, writes nothing."""
    from shipper.operations.plan import plan
    from shipper.reporting.show import show_plan

    planned = plan(where)
    show_plan(planned, as_json=as_json)
    return CHANGES if tell_changes and (planned.drift or not planned.plan.empty) else 0
