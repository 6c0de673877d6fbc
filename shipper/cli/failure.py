"""What is told when a command fails outside a run's events: one message, a next step, the exit code."""

from __future__ import annotations

from shipper.errors import ShipperError


def tell(error: Exception, *, as_json: bool) -> int:
    """Show the error and return the exit code. What we did not foresee is kept in a report file (70)."""
    from shipper.reporting.failures import show_failure, write_bug_report

    if isinstance(error, ShipperError):
        show_failure(error, as_json=as_json)
        return error.exit_code
    bug = write_bug_report(error)
    show_failure(bug, as_json=as_json)
    return bug.exit_code
