"""How a failed command ends: one message, the details, what to do next, and the exit code with its meaning."""

from __future__ import annotations

import json
import platform
import re
import sys
import time
import traceback

import click

from shipper.errors import BugError, GateRefused, ShipperError
from shipper.version import __version__

ISSUES = "the project's issue tracker"

_HIDDEN = "(hidden)"
_CREDENTIALS = (
    (re.compile(r"(Invalid header value ).*"), rf"\1{_HIDDEN}"),  # http.client's, whatever header it is
    (re.compile(r"((?:authorization|registry-auth|api-key|cookie)['\"]?\s*[:=]\s*).*", re.IGNORECASE), rf"\1{_HIDDEN}"),
    (re.compile(r"\b((?:Bearer|Basic|Digest) )(?=\S{6})[^\s'\"]*", re.IGNORECASE), rf"\1{_HIDDEN}"),
    (re.compile(r"(://)[^/\s@]+(?=@)"), rf"\1{_HIDDEN}"),
)


def show_failure(error: ShipperError, *, as_json: bool) -> None:
    """On stderr for people; as one JSON object on stdout for machines."""
    if as_json:
        click.echo(json.dumps({"schema": 1, "error": failure_record(error)}, ensure_ascii=False))
        return
    click.echo(f"error: {error.message}", err=True)
    for line in error.details:
        click.echo(f"  {line}", err=True)
    if error.hint:
        click.echo(f"next: {error.hint}", err=True)


def failure_record(error: ShipperError) -> dict[str, object]:
    """The error for machines."""
    refusals = error.refusals if isinstance(error, GateRefused) else ()
    problems = getattr(error, "problems", ())
    return {
        "code": error.exit_code,
        "cause": error.cause,
        "message": error.message,
        "details": list(error.details),
        "hint": error.hint,
        "problems": [problem.model_dump(mode="json") for problem in problems],
        "refusals": [{"code": code, "reason": reason} for code, reason in refusals],
    }


def without_credentials(text: str) -> str:
    """The same without what proves who asks, in the forms in which libraries print it."""
    for pattern, instead in _CREDENTIALS:
        text = pattern.sub(instead, text)
    return text


def write_bug_report(error: BaseException) -> BugError:
    """Keep what is needed to find the bug in a file (0600); no environment, no configuration, no arguments."""
    from platformdirs import user_state_path

    kept = user_state_path("shipper") / "bugs" / time.strftime("%Y%m%dT%H%M%S.txt", time.gmtime())
    text = "".join(
        [
            f"shipper {__version__}, Python {platform.python_version()}, {platform.platform()}\n",
            f"command: {' '.join(sys.argv[1:2])}\n\n",
            *traceback.format_exception(error),
        ]
    )
    text = without_credentials(text)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept.touch(mode=0o600)
        kept.write_text(text, encoding="utf-8")
        where = str(kept)
    except OSError as failure:
        where = f"(no report could be written: {failure})"
    name = type(error).__name__
    lines = without_credentials(str(error)).splitlines()
    return BugError(
        f"a bug of ours: {name}: {lines[0] if lines else 'no message'}",
        hint=f"nothing is known about what serves: see `shipper status`; send {where} to {ISSUES}",
    )
