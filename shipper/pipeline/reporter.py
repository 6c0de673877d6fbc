"""What the engine hands a stage as its Reporter: it knows the stage's name."""

from __future__ import annotations

import contextvars
import time
from typing import Literal

from shipper.model.event import Event, EvidenceFound, Remark, StageLog, StageProgress
from shipper.model.evidence import Evidence, as_summary
from shipper.pipeline.events import Events

current_stage: contextvars.ContextVar[str] = contextvars.ContextVar("stage", default="")
"""The stage that this thread works for; diagnostics show it."""

PROGRESS_PAUSE = 0.1
"""Seconds: an image that is saved or pushed tells every megabyte, which nobody can read and every sink must take."""

STILL = 5.0
"""Seconds after which what has not changed is told again: that it still waits."""

MAX_LINE = 4000
"""Characters of a log line that an event carries."""


class StageReporter:
    """Implements shipper.model.context.Reporter for one stage."""

    def __init__(self, events: Events, stage: str) -> None:
        self._events = events
        self._stage = stage
        self._last: tuple[str, float | None, float | None] = ("", None, None)
        self._last_told = 0.0
        self.told: set[str] = set()
        """Digests of the evidence that the stage reported itself."""

    def progress(
        self,
        text: str,
        done: float | None = None,
        total: float | None = None,
        unit: Literal["bytes", "steps", "percent", ""] = "",
    ) -> None:
        """What is being done right now. The same text again within PROGRESS_PAUSE is left out, but for the end; with
        the same numbers within STILL.
        """
        now, told = time.monotonic(), (text, done, total)
        ended = done is not None and done == total
        since, pause = now - self._last_told, STILL if told == self._last else PROGRESS_PAUSE
        if text == self._last[0] and since < pause and (told == self._last or not ended):
            return
        self._last, self._last_told = told, now
        self._events.emit(StageProgress(stage=self._stage, text=text, done=done, total=total, unit=unit))

    def log(self, line: str, stream: str = "stdout") -> None:
        """A line of a child or a container; a very long one is cut."""
        # Redacted before it is cut: half a secret would not be found.
        line = self._events.redact(line.rstrip("\r\n"))
        shown = line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]} … ({len(line) - MAX_LINE} more characters)"
        self._events.emit(StageLog(stage=self._stage, stream=stream, line=shown))

    def evidence(self, evidence: Evidence) -> None:
        """A piece of evidence was found."""
        self.told.add(evidence.digest())
        self._events.emit(EvidenceFound(stage=self._stage, evidence=as_summary(evidence)))

    def remark(self, text: str) -> None:
        """Something that a reader should know although nothing failed."""
        self._events.emit(Remark(stage=self._stage, text=text))

    def emit(self, event: Event) -> None:
        """Any other event."""
        self._events.emit(event)
