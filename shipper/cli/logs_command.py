"""`shipper logs`."""

from __future__ import annotations

import click

from shipper.cli.options import where_options
from shipper.operations.where import Where


@click.command("logs")
@where_options
@click.argument("revision", required=False)
@click.option("-n", "--lines", default=200, show_default=True, type=click.IntRange(0, 100_000), help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
def command(where: Where, revision: str | None, lines: int, follow: bool) -> int:
    """Show what a revision wrote: the serving one, or the one named (name or number)."""
    from shipper.operations.logs import logs

    for line in logs(where, revision, lines=lines, follow=follow):
        click.echo(line)
    return 0
