"""Plain lines: without a terminal, in CI logs, and with `-v`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from shipper.model.event import (
    Event,
    EvidenceFound,
    GateJudged,
    Remark,
    RunFinished,
    RunStarted,
    StageFinished,
    StageLog,
    StageProgress,
    StageStarted,
    TrafficShifted,
)
from shipper.reporting.words import doing, ending, evidence_lines, gate_judged, printable, traffic

PROGRESS_EVERY = 10.0
"""Seconds between two lines of progress of one stage: a log is read afterwards."""


class PlainLines:
    """A sink: a line when a stage starts and ends, with the time since the run's start."""

    name = "plain lines"

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._start: float | None = None
        self._spoken: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Write the event's lines, if it has any."""
        if self._start is None:
            self._start = event.at
        if isinstance(event, RunFinished):
            return  # the final block says it
        since = event.at - self._start
        for line in self._lines(event):
            self._stream.write(f"{since:7.1f} s  {line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held back."""

    def _lines(self, event: Event) -> Iterator[str]:
        match event:
            case RunStarted():
                yield opening(event)
                yield from (f"stand-in: {printable(text)}" for text in event.stand_ins)
            case StageStarted():
                self._spoken[event.stage] = event.at
                yield f"{event.stage}: started"
            case StageProgress() if self._is_due(event):
                yield f"{event.stage}: {doing(event)}"
            case StageFinished():
                yield f"{event.stage}: {ending(event)}"
            case StageLog() if self._verbose:
                yield f"{event.stage} | {printable(event.line)}"
            case EvidenceFound():
                yield from (f"{event.stage}: {line}" for line in evidence_lines(event))
            case TrafficShifted():
                yield traffic(event)
            case GateJudged():
                yield gate_judged(event)
            case Remark():
                yield f"{event.stage + ': ' if event.stage else ''}note: {printable(event.text)}"

    def _is_due(self, event: StageProgress) -> bool:
        if event.at - self._spoken.setdefault(event.stage, event.at) < PROGRESS_EVERY:
            return False
        self._spoken[event.stage] = event.at
        return True


def opening(event: RunStarted) -> str:
    """`release iris to production on cloudrun (shipper 0.1.0)`; an image is published `for` an environment, all others
    are done `in` one.
    """
    into = {"release": "to", "publish": "for"}.get(event.command.partition(" ")[0], "in")
    return printable(
        f"{event.command} {event.service} {into} {event.environment} on {event.target} (shipper {event.version})"
    )
