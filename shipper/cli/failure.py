"""What is told when a command fails outside a run's events: one message, a next step, the exit code."""

from __future__ import annotations

from contextlib import suppress

from shipper.errors import ShipperError


def tell(error: Exception, *, as_json: bool) -> int:
    """Show the error and return the exit code. What we did not foresee is kept in a report file (70)."""
    from shipper.reporting.failures import show_failure, write_bug_report

    told = error if isinstance(error, ShipperError) else write_bug_report(error)
    try:
        show_failure(told, as_json=as_json)
    except OSError:
        with suppress(OSError):  # nothing can be said: the code says it
            show_failure(told, as_json=False)
    return told.exit_code
