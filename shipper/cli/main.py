"""The entry point: a literal table of commands, imported only when used, and the one error handler.

`--version` and `--help` stay near the cost of click itself: nothing here imports pydantic, rich, structlog or
entry points.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from typing import Any

import click

from shipper.version import __version__

COMMANDS = {
    "release": "Build, check, publish and deploy a service, and verify what serves.",
    "rollback": "Go back to what served well before, in one write where it is warm.",
    "plan": "Show what a release would change. Writes nothing.",
    "publish": "Build, check and publish the image, and deploy nothing: for GitOps.",
    "render": "Write out what the platform would be given, such as manifests for GitOps.",
    "status": "Show what serves now, and how well that is proved.",
    "verify": "Prove what serves: routing, answers, identity.",
    "history": "Show the releases here and how each ended.",
    "logs": "Show what a revision wrote.",
    "gc": "Clear away what no way back needs.",
    "remove": "Remove the service from a target.",
    "doctor": "Check this machine, the configuration and the target.",
    "targets": "List the configured targets and the installed kinds.",
    "config": "Show or check the configuration.",
    "pipeline": "Show the pipelines and their derived order.",
    "version": "Show the version and the exit codes.",
}


class Commands(click.Group):
    """Commands by name; each lives in its own module `shipper.cli.<name>` as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import exactly the module of the command that was asked for."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"shipper.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """With the nearest name when there is no such command."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else f" Commands: {', '.join(COMMANDS)}."
            ctx.fail(f'No such command "{name}".{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the literal table: `--help` imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes say what serves: `shipper version --exit-codes` lists them.",
)
@click.version_option(__version__, "-V", "--version", message="shipper %(version)s")
def cli() -> None:
    """From a Dockerfile to verified traffic in one command, with proof of what serves."""


def main() -> int:
    """Run the command line; every error ends as one clear message and its exit code, which is returned."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        with suppress(OSError):  # nothing can be said: the code says it
            error.show()
        return error.exit_code
    except BrokenPipeError:
        _silence_stdout()
        return 141
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the one error handler
        from shipper.cli.failure import tell

        told = _of_our_output(error)
        return tell(told, as_json="--json" in sys.argv and told is error)
    return code if isinstance(code, int) else 0


def _of_our_output(error: Exception) -> Exception:
    """The same, or what to say where it was our own output that could not be written: a full disk is no bug.

    Only of commands that write nothing else: those that do go on without their output.
    """
    if not isinstance(error, OSError) or not _came_from_saying(error):
        return error
    from shipper.errors import OutputError

    _silence_stdout()
    return OutputError(
        f"the output cannot be written: {error.strerror or error}",
        hint="make room where it goes; nothing was changed by this command",
    )


def _came_from_saying(error: OSError) -> bool:
    """Whether it was raised in `click.echo`, through which all is said."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is click.echo.__code__


def _silence_stdout() -> None:
    """Nobody gets our output (`shipper logs | head`, a full disk): do not complain at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
