"""`shipper rollback`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, ledger_option, verbosity_options, wait_option, where_options
from shipper.operations.where import Where


@click.command("rollback")
@where_options
@ledger_option
@click.option("--to", metavar="WHICH", help='"#41", the start of a digest or fingerprint, or "2 hours ago".')
@click.option("--dry-run", is_flag=True, help="Show what would come back and what that changes. Writes nothing.")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the history.")
@click.option(
    "--secrets",
    type=click.Choice(["pinned", "current"]),
    help="The secret values of then, or those of what serves.",
)
@click.option("--quarantine-image", is_flag=True, help="The bad image may not come back with any configuration.")
@wait_option
@json_option
@verbosity_options
def command(
    where: Where,
    to: str | None,
    dry_run: bool,
    reason: str,
    secrets: str | None,
    quarantine_image: bool,
    wait: float,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """Go back to what served well before: image, configuration, secret values and limits together.

    Without --to it is the newest release that was verified here and differs from what serves. Needs no checkout and
    no build, and works without the ledger (then it ends with 24). 23 says why there is no way back.
    """
    from shipper.errors import RollbackImpossible
    from shipper.operations.rollback import plan_rollback, rollback, wanted
    from shipper.reporting import open_sinks
    from shipper.reporting.show_past import show_rollback

    what = wanted(to, secrets=secrets, quarantine_image=quarantine_image, reason=reason)
    if dry_run:
        planned = plan_rollback(where, what)
        show_rollback(planned, as_json=as_json)
        return RollbackImpossible.code if planned.problems else 0
    with open_sinks(as_json=as_json, quiet=quiet, verbose=verbose) as sinks:
        return rollback(where, what, sinks, wait=wait)
