"""A machine with the installed command, as one person or one CI job has it: a home of its own, and an environment."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.rig.api import Rig


@dataclass(frozen=True, repr=False)
class Ended:
    """A command that has ended: its exit code and what it said."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    def __repr__(self) -> str:
        last = self.events[-1] if self.events else {}
        said = [last.get("message", ""), *last.get("details", ())] if last else [self.stdout[-2000:]]
        told = [event["text"] for event in self.events if event["event"] in ("stage-progress", "remark")][-8:]
        return f"exit {self.code}: {' | '.join(said)}\n{self.stderr[-2000:]}\nlast told: {told}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines of `--json`."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]

    @property
    def finished(self) -> dict[str, Any]:
        """The last event."""
        last = self.events[-1]
        assert last["event"] == "run-finished", self
        return last

    @property
    def said(self) -> str:
        """The message, the details and the hint of the last event, as one text."""
        end = self.finished
        return "\n".join([end["message"], *end["details"], end["hint"]])

    def stages(self) -> dict[str, str]:
        """Stage to how it ended."""
        return {event["stage"]: event["status"] for event in self.events if event["event"] == "stage-finished"}


@dataclass
class Machine:
    """Where the installed command is run. What it releases to is a kind of its own: a host, a project of a cloud."""

    shipper: Path
    rig: Rig
    home: Path
    environment: dict[str, str] = field(default_factory=dict, kw_only=True)

    def reach(self) -> Mapping[str, str]:
        """The variables that lead to what it releases to, beside the rig's."""
        return {}

    def command(self, *words: object) -> list[str]:
        return [str(self.shipper), *(str(word) for word in words)]

    def variables(self, **more: str) -> dict[str, str]:
        """An environment with a home of its own, so that nothing of one test is seen by another."""
        world = {**os.environ, **self.rig.env(), **own_home(self.home)}
        return {**world, **self.reach(), **self.environment, **more}

    def run(self, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ended:
        """The command, to its end, from a directory that has nothing to do with anything."""
        started = time.monotonic()
        done = subprocess.run(
            self.command(*words),
            env=self.variables(**(env or {})),
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def own_home(folder: Path) -> dict[str, str]:
    """The user's own directories, in this folder."""
    return {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("STATE", "CACHE", "CONFIG", "DATA")}
