"""`shipper release`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, verbosity_options, where_options
from shipper.operations.where import Where


@click.command("release")
@where_options
@click.option("--fresh", is_flag=True, help="Use nothing that an earlier run found out; check everything again.")
@json_option
@verbosity_options
def command(where: Where, fresh: bool, as_json: bool, quiet: bool, verbose: int) -> int:
    """Build, check, publish and deploy a service, and verify what serves.

    Ends with the address, what serves at which level of proof, and how to go back. The exit code says what serves:
    0 the new release, 20 what served before, 22 a person is needed.
    """
    from shipper.operations.release import release
    from shipper.reporting import open_sinks

    with open_sinks(as_json=as_json, quiet=quiet, verbose=verbose) as sinks:
        return release(where, sinks, fresh=fresh)
