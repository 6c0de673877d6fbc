"""ScannerError with the right cause and the scanner's own last words: fail closed, and say what to do."""

from __future__ import annotations

import re

from shipper.errors import ScannerError

INSTALL = "install Trivy (https://trivy.dev) or set SHIPPER_TRIVY to its path"
REFRESH = "refresh it: trivy image --download-db-only --cache-dir {cache}"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_STAMP = re.compile(r"^\S+\s+(?=(?:FATAL|ERROR|WARN|INFO)\s)")


def trivy_failed(what: str, returncode: int, stderr: str, hint: str = "") -> ScannerError:
    """Trivy ended with another status than 0. Status 2 is a crash of Trivy's own (a broken database does that)."""
    lines = [printable(line) for line in stderr.splitlines() if line.strip()]
    why = "it crashed" if returncode == 2 else _reason(lines)
    return ScannerError(
        f"Trivy failed to {what} (status {returncode}): {why}",
        hint=hint or "nothing was believed; run `shipper doctor`, and refresh the vulnerability database",
        details=lines[-10:],
        cause="scanner-failed",
    )


def unexpected(what: str, why: str) -> ScannerError:
    """Trivy said that all went well and wrote something that cannot be read for certain."""
    return ScannerError(
        f"Trivy's report about {what} cannot be believed: {why}",
        hint="shipper is tested with Trivy 0.76; use that version, or run `shipper doctor`",
        cause="scanner-report",
    )


def printable(text: str, limit: int = 300) -> str:
    """One line of bounded length without control characters: names come out of images that we do not know."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _reason(lines: list[str]) -> str:
    """The innermost error of a chain such as "run error: init error: DB error: no such file"."""
    fatal = next((line for line in reversed(lines) if "FATAL" in line or "Error" in line), lines[-1] if lines else "")
    return printable(_STAMP.sub("", fatal).removeprefix("FATAL").strip(), 200) or "it said nothing"
