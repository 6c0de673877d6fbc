"""The part of Logging's query language that the rig reads: comparisons that must all hold.

    resource.type="cloud_run_revision" AND severity>=WARNING      terms are joined by AND or by the end of a line
    timestamp>="2026-01-02T03:04:05Z"                             times and severities have an order, text has none
    NOT httpRequest:*                                             the entry has no such field; "-" is NOT too
    log_id("run.googleapis.com/requests")                         the log of this name, in whatever project

Based on https://cloud.google.com/logging/docs/view/logging-query-language. What it gets wrong: everything else of the
language (OR, groups, substrings, regular expressions, other functions) is refused, and case matters where the real one
compares text without it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.rig.google.cloudrun.errors import ApiError

_TERM = re.compile(r'^(NOT\s+|-)?([\w.]+)\s*(?:(:)\s*\*|(=|>=)\s*(?:"([^"]*)"|([^\s"():*]+)))$')
_LOG = re.compile(r'^(NOT\s+|-)?log_id\("([^"]+)"\)$')
_SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")


@dataclass(frozen=True)
class Term:
    """One comparison. `operator` is "=", ">=", ":" (the field is there) or "log_id"."""

    negated: bool
    path: str
    operator: str
    value: str

    def holds(self, entry: Mapping[str, Any]) -> bool:
        return self._compared(_field(entry, self.path)) != self.negated

    def _compared(self, found: Any) -> bool:
        """A comparison with a field that is not there is false."""
        if self.operator == ":" or found is None:
            return found is not None
        if self.operator == "log_id":
            return str(found).partition("/logs/")[2] == quote(self.value, safe="")
        if self.operator == ">=":
            return bool(_ordered(self.path, str(found)) >= _ordered(self.path, self.value))
        return str(found) == self.value


@dataclass(frozen=True)
class Filter:
    terms: tuple[Term, ...]

    def chooses(self, entry: Mapping[str, Any]) -> bool:
        """Of a LogEntry in its JSON form."""
        return all(term.holds(entry) for term in self.terms)

    def equals(self, path: str) -> str:
        """What a field has to be; "" where that is not said."""
        said = [term.value for term in self.terms if (term.path, term.operator, term.negated) == (path, "=", False)]
        return said[0] if said else ""


def read(text: str) -> Filter:
    """INVALID_ARGUMENT for what is not understood."""
    parts = [part.strip() for part in re.split(r"\s+AND\s+|\n", text) if part.strip()]
    return Filter(tuple(_term(part) for part in parts))


def _term(text: str) -> Term:
    if (log := _LOG.match(text)) is not None:
        return Term(bool(log[1]), "logName", "log_id", log[2])
    found = _TERM.match(text)
    if found is None:
        raise ApiError("INVALID_ARGUMENT", f"Unparseable filter: {text}")
    negation, path, exists, compares, quoted, plain = found.groups()
    value = quoted if quoted is not None else plain or ""
    if compares == ">=":
        _ordered(path, value)  # what has no order is refused before it is compared
    return Term(bool(negation), path, exists or compares, value)


def _field(entry: Mapping[str, Any], path: str) -> Any:
    """An entry that says no severity has the severity DEFAULT (LogEntry.severity)."""
    found: Any = {"severity": "DEFAULT", **entry}
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _ordered(path: str, text: str) -> Any:
    """Something that can be compared: a time, or the place of a severity."""
    try:
        if path == "severity":
            return _SEVERITIES.index(text)
        if path in ("timestamp", "receiveTimestamp"):
            at = datetime.datetime.fromisoformat(text)
            return at if at.tzinfo else at.replace(tzinfo=datetime.UTC)
    except ValueError:
        raise ApiError("INVALID_ARGUMENT", f"Unparseable filter: '{text}' is no value of {path}") from None
    raise ApiError("INVALID_ARGUMENT", f"Unparseable filter: the rig knows no order of {path}")
