"""The options that every command takes, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


def where_options(command: Command) -> Command:
    """-C, -e, -t, --service (and --ledger, see below): where to act. Passed on as one `Where`."""
    import functools

    @click.option("-C", "directory", type=click.Path(path_type=Path), metavar="DIR", help="Look for shipper.toml here.")
    @click.option("-e", "--env", "environment", default="dev", metavar="NAME", show_default=True, help="Environment.")
    @click.option("-t", "--target", metavar="TARGET", help="A configured name, a kind, or a URL such as docker://.")
    @click.option("--service", metavar="NAME", help="The service, where its shipper.toml is not at hand.")
    @functools.wraps(command)
    def wrapped(directory: Path | None, environment: str, target: str | None, service: str | None, **rest: Any) -> Any:
        from shipper.operations.where import Where

        ledger = rest.pop("ledger", None)
        where = Where(directory=directory, environment=environment, target=target, service=service, ledger=ledger)
        return command(where=where, **rest)

    return wrapped


def ledger_option(command: Command) -> Command:
    """--ledger: part of `Where`, for commands that read or write the ledger. Stands below `where_options`."""
    return click.option(
        "--ledger",
        envvar="SHIPPER_LEDGER",
        show_envvar=True,
        metavar="URL",
        help="The ledger to use.",
    )(command)


def json_option(command: Command) -> Command:
    """--json: for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output on stdout.")(command)


def wait_option(command: Command) -> Command:
    """--wait: for another run's lease."""
    return click.option(
        "--wait",
        default=0.0,
        type=Duration(),
        metavar="TIME",
        help='Wait so long for another run to end, such as "10m".  [default: refuse at once]',
    )(command)


def verbosity_options(command: Command) -> Command:
    """-q and -v."""
    command = click.option("-q", "--quiet", is_flag=True, help="Only the result.")(command)
    return click.option("-v", "--verbose", count=True, help="More: child output; twice: diagnostics.")(command)


class Duration(click.ParamType[float]):
    """A time such as "30s", "10m" or a number of seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        from shipper.model.quantities import parse_duration

        try:
            return float(parse_duration(value))
        except ValueError:
            self.fail(f'"{value}" is no time; write it as "30s", "10m" or a number of seconds', param, ctx)
