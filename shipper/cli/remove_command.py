"""`shipper remove`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, wait_option, where_options
from shipper.operations.where import Where


@click.command("remove")
@where_options
@ledger_option
@click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal to ask on.")
@wait_option
@json_option
def command(where: Where, yes: bool, wait: float, as_json: bool) -> int:
    """Remove the service from a target, with everything of it there. Only what was there before shipper serves on."""
    from shipper.operations.remove import plan_removal, remove, require_consent
    from shipper.reporting import open_sinks
    from shipper.reporting.show import ask_whether, show_removal

    if not yes:
        require_consent()
        planned = plan_removal(where)
        show_removal(planned)
        ask_whether(f"Remove {planned.service} in {planned.environment} from {planned.target}?")
    with open_sinks(as_json=as_json) as sinks:
        return remove(where, sinks, wait=wait)
