"""Which sinks a run gets: `--json`, `-q`, `-v`, a terminal or none."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TextIO

from shipper.pipeline.events import Sink
from shipper.reporting.final_block import FinalBlock
from shipper.reporting.json_lines import JsonLines
from shipper.reporting.plain import PlainLines
from shipper.reporting.run_log import RunLog


@contextlib.contextmanager
def open_sinks(
    *,
    as_json: bool = False,
    quiet: bool = False,
    verbose: int = 0,
    out: TextIO | None = None,
    err: TextIO | None = None,
    log: RunLog | None = None,
) -> Iterator[list[Sink]]:
    """The sinks, closed afterwards. Results go to stdout; progress, bad news and diagnostics to stderr.

    The run log comes first (the others show its path), the final block last (below the live view).
    """
    out, err = out or sys.stdout, err or sys.stderr
    log = log or RunLog.default()
    sinks: list[Sink] = [log]
    if verbose:
        from shipper.reporting.diagnostics import Diagnostics, set_up

        set_up(verbose, err)
        sinks.append(Diagnostics())
    if as_json:
        sinks.append(JsonLines(out, log))
        sinks += [PlainLines(err, verbose=True)] if verbose else []
    else:
        sinks += [] if quiet else [_progress(err, verbose)]
        sinks.append(FinalBlock(out, err, log, quiet=quiet))
    try:
        yield sinks
    finally:
        for sink in sinks:
            with contextlib.suppress(OSError):  # a closed pipe, a full disk: told while the run was under way
                sink.close()


def wants_live_view(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """On a terminal that can move its cursor, and not in CI (some give a terminal, and keep every frame)."""
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb" and not environ.get("CI")


def _progress(err: TextIO, verbose: int) -> Sink:
    if verbose or not wants_live_view(err, os.environ):
        return PlainLines(err, verbose=bool(verbose))
    from shipper.reporting.live import LiveView

    return LiveView(err)
