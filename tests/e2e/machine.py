"""A machine with the installed command, as one person or one CI job has it: a home of its own, and an environment."""

from __future__ import annotations

import json
import os
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.answer import Answer

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.stores import RunningStore


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


def must(ended: Ended) -> None:
    """It ends well."""
    assert ended.code == 0, ended


@dataclass
class Machine(ABC):
    """Where the installed command is run. What it releases to is a kind of its own: a host, a project of a cloud."""

    shipper: Path
    rig: Rig
    home: Path
    environment: dict[str, str] = field(default_factory=dict, kw_only=True)

    @abstractmethod
    def settings(self, **more: Any) -> dict[str, Any]:
        """What a project's shipper.toml says about this place, to be merged with more."""

    @abstractmethod
    def ask(self, path: str = "/") -> Answer:
        """Ask what serves, as its users do."""

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

    def start(
        self, *words: object, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """The command in a session of its own; the caller reads what it says, and waits for it."""
        return subprocess.Popen(
            self.command(*words),
            env=self.variables(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )


@dataclass
class PlatformMachine(Machine):
    """It releases to a platform that is asked over the network, with its ledger in an object store."""

    kind: str
    """Of the target, and its name."""
    store: RunningStore
    ledger: str

    @property
    @abstractmethod
    def address(self) -> str:
        """Of the place, as `--target` takes it."""

    def release(self, folder: Path, *words: object, env: Mapping[str, str] | None = None) -> Ended:
        """`shipper release --target KIND --json` of a project."""
        return self.run("release", "--target", self.kind, "--json", "-C", folder, *words, env=env)

    def from_nowhere(self, *words: object) -> Ended:
        """A command from an empty directory of somebody who never released: the place is named by its address."""
        empty = self.home / "empty"
        empty.mkdir(exist_ok=True)
        nothing = (self.home / "no-ledger").as_uri()
        named = ("--service", "shop", "--target", self.address, "--ledger", nothing)
        return self.run(*words, *named, "--json", env=own_home(self.home / "other"), cwd=empty)


def own_home(folder: Path) -> dict[str, str]:
    """The user's own directories, in this folder."""
    return {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("STATE", "CACHE", "CONFIG", "DATA")}
