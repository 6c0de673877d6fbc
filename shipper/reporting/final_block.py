"""What a person reads at the end: what happened, the address, what serves, the times, the way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TextIO

from shipper.model.event import Event, RunFinished, Serves, StageFinished, StageLog
from shipper.model.quantities import show_duration
from shipper.reporting.exit_codes import meaning_of
from shipper.reporting.run_log import RunLog
from shipper.reporting.words import printable, wrapped

WIDTH = 96
TAIL = 20
"""Lines of a failed stage's output that are shown when its error brings none."""


class FinalBlock:
    """A sink: silent until the run's end. Good news goes to `out`, bad news to `err`.

    `quiet`: of a run whose result is an image, its reference alone: it is for the next command.
    """

    name = "the final block"

    def __init__(self, out: TextIO, err: TextIO, log: RunLog | None = None, *, quiet: bool = False) -> None:
        self._out = out
        self._err = err
        self._log = log
        self._quiet = quiet
        self._endings: dict[str, str] = {}
        self._tails: dict[str, deque[str]] = {}

    def __call__(self, event: Event) -> None:
        """Remember what the end will need; write at the end."""
        if isinstance(event, StageLog):
            self._tails.setdefault(event.stage, deque(maxlen=TAIL)).append(event.line)
        elif isinstance(event, StageFinished):
            self._endings[event.stage] = event.status
        elif isinstance(event, RunFinished):
            self._write(event)

    def close(self) -> None:
        """Nothing is held back."""

    def _write(self, finished: RunFinished) -> None:
        if self._quiet and finished.code == 0 and finished.image:
            self._out.write(f"{printable(finished.image)}\n")
            self._out.flush()
            return
        path = finished.log or (self._log.path if self._log is not None else "")
        if finished.code == 0:
            before = self._log.previous if self._log is not None else None
            lines = success_lines(finished, self._endings, before, path)
        else:
            lines = failure_lines(finished, self._tail(), path)
        stream = self._out if finished.code == 0 else self._err
        stream.write("\n" + "".join(f"{line}\n" for line in lines))
        stream.flush()

    def _tail(self) -> list[str]:
        """The last output of the stages that failed."""
        lines: list[str] = []
        for stage, tail in self._tails.items():
            if self._endings.get(stage) == "failed":
                lines += [f"last lines of {stage}:", *(f"  {line}" for line in tail)]
        return lines


def success_lines(
    finished: RunFinished, endings: Mapping[str, str], before: RunFinished | None = None, log: str = ""
) -> list[str]:
    """After a good run. `endings`: stage to status; `before`: how the last good run ended."""
    lines = [printable(finished.message)]
    serves = finished.serves
    if serves is not None and serves.address:
        lines.append(f"  address   {_address(serves)}")
    if serves is not None:
        lines.append(f"  serves    {_serving(serves)}")
    if image := (serves and serves.image) or finished.image:
        lines.append(f"  image     {printable(image)}")
    lines += _labelled("times", time_lines(finished, endings, before))
    if log:
        lines.append(f"  log       {printable(log)}")
    if finished.hint:
        lines.append(f"next: {printable(finished.hint)}")
    if finished.rollback:
        lines.append(_rollback(finished.rollback))
    return lines


def failure_lines(finished: RunFinished, tail: list[str], log: str = "") -> list[str]:
    """After a bad run: what happened, the details, what serves, what to do next, the code and its meaning."""
    lines = [f"error: {printable(finished.message)}"]
    lines += [f"  {printable(line)}" for line in (finished.details or tail)]
    if finished.serves:
        lines.append(f"serves: {_serving(finished.serves)}")
    if finished.hint:
        lines.append(f"next: {printable(finished.hint)}")
    meaning = meaning_of(finished.code)
    lines.append(f"exit: {finished.code}{f' ({meaning})' if meaning else ''}")
    if finished.rollback:
        lines.append(_rollback(finished.rollback))
    if log:
        lines.append(f"log: {printable(log)}")
    return lines


def time_lines(finished: RunFinished, endings: Mapping[str, str], before: RunFinished | None) -> list[str]:
    """`32.1 s in all (last 45.0 s)`, then each stage with its time in the last good run where that was different."""
    if not finished.stages:
        return []
    items = [
        _stage_time(stage, seconds, endings.get(stage, ""), before.stages.get(stage) if before else None)
        for stage, seconds in finished.stages.items()
    ]
    last = f" (last {show_duration(before.seconds)})" if before and before.seconds else ""
    return [f"{show_duration(finished.seconds)} in all{last}", *wrapped(items, WIDTH - 12)]


def _stage_time(stage: str, seconds: float, status: str, last: float | None) -> str:
    shown = "reused" if status == "reused" else show_duration(seconds)
    # Differences below a tenth of a second, or below a tenth of the time, are noise.
    noteworthy = last is not None and abs(last - seconds) >= max(0.1, 0.1 * last)
    return f"{stage} {shown} (last {show_duration(last or 0.0)})" if noteworthy else f"{stage} {shown}"


def _labelled(label: str, lines: list[str]) -> list[str]:
    return [f"  {label if number == 0 else '':<8}  {line}" for number, line in enumerate(lines)]


def _address(serves: Serves) -> str:
    return printable(f"{serves.address}{f' (Host: {serves.host})' if serves.host else ''}")


def _serving(serves: Serves) -> str:
    back = f"(rollback to #{serves.rollback_to}) " if serves.rollback_to is not None else ""
    number = f"#{serves.number} {back}" if serves.number is not None else ""
    proof = f", proof: {serves.proof}" if serves.proof else ""
    return printable(f"{number}{serves.revision}{proof}")


def _rollback(text: str) -> str:
    return printable(text if text.startswith("rollback:") else f"rollback: {text}")
