"""The tiny service at a place of its own: what serves answers with the text of its release, and nothing else."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from shipper.model import Recorded
from tests.e2e.machine import Ended, Machine, must
from tests.e2e.projects import APPS, commit, merged, to_toml
from tests.rig.load import Load

_PATIENCE = 60.0
"""Seconds for what must come."""


@dataclass
class TinyPlace(ABC):
    """One service at one place, and the folder of its project."""

    SERVICE: ClassVar[str]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), kw_only=True)

    # A place's own.

    @property
    @abstractmethod
    def machine(self) -> Machine:
        """Where its commands are run."""

    @property
    @abstractmethod
    def name(self) -> str:
        """No other place of this session has it."""

    @property
    @abstractmethod
    def own_settings(self) -> dict[str, Any]:
        """What its project says beside what every tiny service's does."""

    @property
    @abstractmethod
    def release_words(self) -> tuple[object, ...]:
        """The command that releases what was written."""

    @property
    @abstractmethod
    def rollback_words(self) -> tuple[object, ...]:
        """The command that goes back."""

    @abstractmethod
    def run(self, *words: object) -> Ended:
        """A command to its end, or to where it dies."""

    @abstractmethod
    def start(self, *words: object) -> subprocess.Popen[str]:
        """A command in a session of its own; the caller waits for it."""

    @abstractmethod
    def under_load(self, rate: float) -> Load:
        """Users, who send so many requests a second until the load is stopped."""

    @abstractmethod
    def history(self, newest: int | None = None) -> list[Recorded]:
        """Every release or so many, newest first, read from the ledger past every proxy."""

    # The same everywhere.

    @property
    def folder(self) -> Path:
        return self.machine.home / "tiny"

    def next_text(self) -> str:
        """A text that no release here had before."""
        return f"{self.name} {next(self._numbers)}"

    def write(self, text: str, **settings: Any) -> None:
        """The project, such that a release of it answers with this text. Only its configuration ever changes."""
        first = not self.folder.exists()
        shutil.copytree(APPS / "tiny", self.folder, dirs_exist_ok=True)
        every: dict[str, Any] = {
            "service": self.SERVICE,
            "run": {"env": {"TEXT": text}},
            "scan": {"enabled": False},
            "smoke": {"enabled": False, "requests": [{"name": "text", "path": "/", "expect": {"contains": text}}]},
        }
        here = merged(self.machine.settings(**every), self.own_settings)
        (self.folder / "shipper.toml").write_text(to_toml(merged(here, settings)))
        if first:
            commit(self.folder, "the tiny service")

    def release(self, text: str, **settings: Any) -> Ended:
        """Write the project with this text and release it."""
        self.write(text, **settings)
        return self.run(*self.release_words)

    def text(self) -> str | None:
        """What the service answers; None when nobody does, or with a status above 399."""
        try:
            answer = self.machine.ask()
        except OSError:
            return None
        return answer.text if answer.status < 400 else None

    def served(self) -> str:
        """What serves now; a first release when nothing does."""
        text = self.text()
        if text is None:
            text = self.next_text()
            must(self.release(text))
        return text

    def until(self, true: Callable[[], bool]) -> None:
        """The platform gets there in its own time."""
        deadline = time.monotonic() + _PATIENCE
        while not true():
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.05)


def canary(bake: str = "300ms") -> dict[str, Any]:
    """Settings for 10, 50 and 100 %; the bake time is over at once, but for the tests that need more."""
    return {"rollout": {"strategy": "canary", "steps": [10, 50], "bake": bake}}


def slow_start(seconds: int) -> dict[str, Any]:
    """Settings with which a release takes so long until it is ready."""
    return {"run": {"env": {"START_SECONDS": str(seconds)}}, "health": {"startup": f"{seconds + 30}s"}}
