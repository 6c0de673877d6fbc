"""`shipper verify`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, where_options
from shipper.operations.where import Where


@click.command("verify")
@where_options
@ledger_option
@json_option
def command(where: Where, as_json: bool) -> int:
    """Prove what serves: its routing, its answers, its identity. Ends with 22 when it is not well."""
    from shipper.operations.verify import verify
    from shipper.reporting.show import show_verified

    verified = verify(where)
    show_verified(verified, as_json=as_json)
    return verified.exit_code
