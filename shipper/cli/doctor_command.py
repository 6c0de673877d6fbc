"""`shipper doctor`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, where_options
from shipper.operations.where import Where


@click.command("doctor")
@where_options
@ledger_option
@json_option
def command(where: Where, as_json: bool) -> int:
    """Check this machine, the configuration and the target, and say what to do about what is wrong."""
    from shipper.operations.doctor import doctor
    from shipper.reporting.show import show_checkup

    checkup = doctor(where)
    show_checkup(checkup, as_json=as_json)
    return checkup.exit_code
