"""The options that every command takes, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


def where_options(command: Command) -> Command:
    """-C, -e, -t: which service, environment and target. Passed on as one `Where`."""
    import functools

    @click.option("-C", "directory", type=click.Path(path_type=Path), metavar="DIR", help="Look for shipper.toml here.")
    @click.option("-e", "--env", "environment", default="dev", metavar="NAME", show_default=True, help="Environment.")
    @click.option("-t", "--target", metavar="TARGET", help="A configured name, a kind, or a URL such as docker://.")
    @functools.wraps(command)
    def wrapped(directory: Path | None, environment: str, target: str | None, **rest: Any) -> Any:
        from shipper.operations.where import Where

        return command(where=Where(directory=directory, environment=environment, target=target), **rest)

    return wrapped


def json_option(command: Command) -> Command:
    """--json: for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output on stdout.")(command)


def verbosity_options(command: Command) -> Command:
    """-q and -v."""
    command = click.option("-q", "--quiet", is_flag=True, help="Only the result.")(command)
    return click.option("-v", "--verbose", count=True, help="More: child output; twice: diagnostics.")(command)
