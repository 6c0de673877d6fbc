"""A reporter for work that is shown at its end: it keeps the remarks and passes the rest over."""

from __future__ import annotations

from typing import Literal

from shipper.model.event import Event, Remark
from shipper.model.evidence import Evidence


class Remarks:
    """Implements shipper.model.context.Reporter. `texts` has what was remarked, each once, in order."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def progress(
        self,
        text: str,
        done: float | None = None,
        total: float | None = None,
        unit: Literal["bytes", "steps", "percent", ""] = "",
    ) -> None:
        """Nobody watches."""

    def log(self, line: str, stream: str = "stdout") -> None:
        """Nobody watches."""

    def evidence(self, evidence: Evidence) -> None:
        """Nothing is judged here."""

    def remark(self, text: str) -> None:
        """Kept."""
        if text not in self.texts:
            self.texts.append(text)

    def emit(self, event: Event) -> None:
        """Of other events only remarks are kept."""
        if isinstance(event, Remark):
            self.remark(event.text)
