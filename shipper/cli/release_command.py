"""`shipper release`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, verbosity_options, wait_option, where_options
from shipper.operations.where import Where


@click.command("release")
@where_options
@ledger_option
@click.option("--image", metavar="REF", help="Release this image instead of building one; it is judged all the same.")
@click.option("--config-only", is_flag=True, help="Release the image of what serves, with the configuration of now.")
@click.option("--fresh", is_flag=True, help="Use nothing that an earlier run found out; check everything again.")
@click.option("--allow-older", is_flag=True, help="Release a commit that is older than what serves.")
@wait_option
@json_option
@verbosity_options
def command(
    where: Where,
    image: str | None,
    config_only: bool,
    fresh: bool,
    allow_older: bool,
    wait: float,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """Build, check, publish and deploy a service, and verify what serves.

    Ends with the address, what serves at which level of proof, and how to go back. The exit code says what serves:
    0 the new release, 20 what served before, 22 a person is needed.
    """
    from shipper.operations.release import ReleaseOptions, release
    from shipper.reporting import open_sinks

    options = ReleaseOptions(fresh=fresh, image=image, config_only=config_only, wait=wait, allow_older=allow_older)
    with open_sinks(as_json=as_json, quiet=quiet, verbose=verbose) as sinks:
        return release(where, sinks, options)
