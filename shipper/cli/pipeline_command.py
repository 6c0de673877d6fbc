"""`shipper pipeline show`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option


@click.group("pipeline")
def command() -> None:
    """Show the pipelines and their derived order."""


@command.command("show")
@click.argument("name", default="release")
@json_option
def show(name: str, as_json: bool) -> int:
    """Draw the order that follows from the stages' types."""
    from shipper.operations.pipelines import describe
    from shipper.reporting.show import show_pipeline

    show_pipeline(describe(name), as_json=as_json)
    return 0
