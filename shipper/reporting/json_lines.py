"""`--json`: one event per line on stdout, for programs."""

from __future__ import annotations

from typing import TextIO

from shipper.model.event import Event, RunFinished
from shipper.reporting.run_log import RunLog


class JsonLines:
    """A sink. Each line is flushed: a reader follows the run as it happens."""

    name = "--json"

    def __init__(self, stream: TextIO, log: RunLog | None = None) -> None:
        self._stream = stream
        self._log = log

    def __call__(self, event: Event) -> None:
        """Write one line."""
        if isinstance(event, RunFinished) and self._log is not None and not event.log:
            event = event.model_copy(update={"log": self._log.path})
        self._stream.write(event.model_dump_json() + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held back."""
