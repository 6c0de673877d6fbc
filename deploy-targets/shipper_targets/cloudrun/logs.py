"""A revision's output, from Cloud Logging."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from shipper.model.context import Cancellation
from shipper.targets import retry_transient
from shipper_targets.cloudrun.names import Names
from shipper_targets.cloudrun.rest import Rest

HOST = "logging.googleapis.com"
POLL = 2.0
"""Seconds between two looks for new entries; the API allows 60 reads a minute."""

LARGEST_PAGE = 1000


class Logs:
    """Needs logging.logEntries.list. Entries come seconds late."""

    def __init__(self, rest: Rest, names: Names, cancel: Cancellation | None) -> None:
        self._rest = rest
        self._names = names
        self._cancel = cancel

    def last(self, revision: str, lines: int) -> list[str]:
        """The last lines, oldest first. Raises Denied, Transient."""
        return [text for _, _, text in reversed(self._entries(revision, lines, newest_first=True))][-lines:]

    def follow(self, revision: str, lines: int) -> Iterator[str]:
        """The last lines and then what comes, until the run is cancelled."""
        entries = list(reversed(self._entries(revision, lines, newest_first=True)))
        since, told = "", set[str]()
        while True:
            for at, name, text in entries:
                if at != since:
                    since, told = at, set()
                told.add(name)
                yield text
            if self._wait():
                return
            newer = retry_transient(partial(self._entries, revision, LARGEST_PAGE, since=since))
            entries = [entry for entry in newer if entry[1] not in told]

    def _entries(
        self, revision: str, count: int, *, since: str = "", newest_first: bool = False
    ) -> list[tuple[str, str, str]]:
        """(timestamp, id, text)."""
        conditions = [
            'resource.type="cloud_run_revision"',
            f'resource.labels.service_name="{self._names.service_id}"',
            f'resource.labels.revision_name="{revision}"',
            f'resource.labels.location="{self._names.region}"',
            'NOT log_id("run.googleapis.com/requests")',  # the platform's own lines: they would fill the page
            *([f'timestamp>="{since}"'] if since else []),
        ]
        body = {
            "resourceNames": [f"projects/{self._names.project}"],
            "filter": "\n".join(conditions),
            "orderBy": "timestamp desc" if newest_first else "timestamp asc",
            "pageSize": max(1, min(count, LARGEST_PAGE)),
        }
        found = self._rest.post(f"read the log of {revision}", HOST, "/v2/entries:list", body)
        entries = found.get("entries") or []
        return [(str(one.get("timestamp", "")), str(one.get("insertId", "")), text_of(one)) for one in entries]

    def _wait(self) -> bool:
        if self._cancel is not None:
            return self._cancel.wait(POLL)
        time.sleep(POLL)
        return False


def text_of(entry: dict[str, Any]) -> str:
    """What an entry says: plain text, a structured message, or the platform's own status."""
    if "textPayload" in entry:
        return str(entry["textPayload"]).rstrip("\n")
    structured = entry.get("jsonPayload")
    if isinstance(structured, dict):
        return str(structured.get("message") or structured)
    status = (entry.get("protoPayload") or {}).get("status") or {}
    return str(status.get("message", ""))
