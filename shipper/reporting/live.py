"""The live view: one line per stage, what it is doing, how far it is, how long it has taken."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from shipper.model.event import (
    Event,
    EvidenceFound,
    GateJudged,
    Remark,
    RunFinished,
    RunStarted,
    StageFinished,
    StageProgress,
    StageStarted,
    TrafficShifted,
)
from shipper.model.quantities import show_duration
from shipper.reporting.plain import opening
from shipper.reporting.words import doing, ending, evidence_lines, gate_judged, printable, traffic

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

MARKS = {"running": "•", "done": "✓", "reused": "=", "failed": "✗", "cancelled": "-"}
STYLES = {"running": "cyan", "done": "green", "reused": "green", "failed": "bold red", "cancelled": "yellow"}
REFRESHES = 8
"""Times a second."""

BAR = 20
"""Columns of a progress bar."""

WIDE = 80
"""Columns from which on there is room for bars."""


@dataclass
class _Row:
    """A stage on the screen."""

    started: float
    status: str = "running"
    text: str = ""
    share: float | None = None
    seconds: float = 0.0


class LiveView:
    """A sink. It ends with the run, so that the final block stands below it."""

    name = "the live view"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows: dict[str, _Row] = {}
        self._console: Console | None = None
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Change the row, or write a line above the rows."""
        self._start()
        match event:
            case StageStarted():
                self._rows[event.stage] = _Row(time.monotonic())
            case StageProgress() if event.stage in self._rows:
                row = self._rows[event.stage]
                row.text, row.share = doing(event), _share(event)
            case StageFinished() if event.stage in self._rows:
                row = self._rows[event.stage]
                row.status, row.text, row.share = event.status, ending(event), None
                row.seconds = event.seconds
            case RunFinished():
                self.close()
            case _:
                self._above(event)

    def close(self) -> None:
        """Leave the rows as they are and give the cursor back. Idempotent."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self) -> None:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._console = Console(file=self._stream, highlight=False, soft_wrap=False)
            self._live = Live(
                console=self._console,
                get_renderable=self._table,
                refresh_per_second=REFRESHES,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _above(self, event: Event) -> None:
        from rich.text import Text

        lines: list[str] = []
        match event:
            case RunStarted():
                lines = [opening(event), *(f"stand-in: {printable(text)}" for text in event.stand_ins)]
            case EvidenceFound():
                lines = [f"{event.stage}: {line}" for line in evidence_lines(event)]
            case TrafficShifted():
                lines = [traffic(event)]
            case GateJudged():
                lines = [gate_judged(event)]
            case Remark():
                lines = [f"{event.stage + ': ' if event.stage else ''}note: {printable(event.text)}"]
            case _:
                pass
        assert self._console is not None
        for line in lines:
            self._console.print(Text(line))

    def _table(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rows = tuple(self._rows.items())
        wide = self._console is not None and self._console.width >= WIDE
        table = Table.grid(padding=(0, 1), expand=True)
        # Fixed widths: rich takes the room for a long text from the columns that have none.
        table.add_column(width=1)
        table.add_column(width=max((len(name) for name, _ in rows), default=1), no_wrap=True)
        table.add_column(width=11, justify="right", no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        if wide:
            table.add_column(width=BAR)
        for name, row in rows:
            seconds = time.monotonic() - row.started if row.status == "running" else row.seconds
            bar = ProgressBar(total=1.0, completed=row.share, width=BAR) if row.share is not None else ""
            cells = (
                Text(MARKS[row.status], style=STYLES[row.status]),
                Text(name),
                Text(show_duration(seconds), style="dim"),
                Text(row.text, style="red" if row.status == "failed" else ""),
            )
            table.add_row(*cells, *([bar] if wide else []))
        return table


def _share(event: StageProgress) -> float | None:
    """How far a stage is, from 0 to 1."""
    total = 100.0 if event.unit == "percent" else event.total
    if event.done is None or not total:
        return None
    return min(1.0, max(0.0, event.done / total))
