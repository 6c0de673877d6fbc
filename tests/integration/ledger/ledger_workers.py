"""Processes that share a ledger: started by a test, told by it what to do, read line by line.

    python -m tests.integration.ledger.ledger_workers VERB URL [key=value ...]

append: appends `count` releases and says each number, position and nonce. contend: takes the lease `count` times and
does what only one may do. hold: takes the lease and says until when it was its own.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shipper.errors import LedgerError, Overtaken
from shipper.ledger.holders import this_process
from shipper.ledger.keys import Keys
from shipper.ledger.log import StoredLedger
from shipper.ledger.opening import open_store
from shipper.ledger.tenure import Timings
from shipper.model import Holder, ImageRef, LedgerState, Release, ServiceSettings, Settings, Started

ROOT = Path(__file__).resolve().parents[3]
KEYS = Keys("iris", "production", "cloudrun")
BRISK = Timings(beat=0.3, again=0.1, dead_after=3.0, trust=2.4, fresh=0.1, answer=1.0, poll=0.05)
"""As the real ones, ten times as fast."""


def opened(url: str, environ: Mapping[str, str]) -> StoredLedger:
    """The ledger under test, with leases that are ten times as fast."""
    return StoredLedger(open_store(url, environ), KEYS, timings=BRISK)


def release(number: int) -> Release:
    """Number N."""
    return Release(
        id=f"{number:026d}",
        number=number,
        fingerprint=f"sha256:{number:064x}",
        images={"main": ImageRef(config_digest="sha256:" + "ab" * 32, reference="iris@x", platform="linux/amd64")},
        settings=Settings(service=ServiceSettings(service="iris", environment="production", root="/iris")),
        target="cloudrun",
        created=time.time(),
    )


def holder(run: str, purpose: str = "release", *, elsewhere: bool = False, wrong_by: float = 0.0) -> Holder:
    """This process; `elsewhere`: as if it were on another machine, whose clock may be wrong."""
    me = this_process(run, purpose)  # type: ignore[arg-type]
    away = {"boot": "another-boot", "machine": "ci-17", "who": "ci@ci-17"} if elsewhere else {}
    return me.model_copy(update={**away, "since": me.since + wrong_by})


class Worker:
    """One process. `say` is read as JSON, line by line."""

    def __init__(self, verb: str, url: str, environ: Mapping[str, str], options: Mapping[str, object]) -> None:
        words = [f"{name}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "tests.integration.ledger.ledger_workers", verb, url, *words]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def says(self, within: float = 60.0) -> dict[str, Any]:
        """The next thing it says."""
        line = self._lines.get(timeout=within)
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read()[-2000:])
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def all(self) -> list[dict[str, Any]]:
        """What it says until it ends, which it must do well."""
        said = []
        while line := self._lines.get(timeout=120):
            said.append(json.loads(line))
        assert self.process.stderr is not None
        assert self.process.wait(30) == 0, self.process.stderr.read()[-2000:]
        return said

    def finish(self) -> None:
        """Let a holder end its block."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(30)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")


class Workers:
    """Starts workers, and ends those that are left."""

    def __init__(self) -> None:
        self._started: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in self._started:
            worker.kill()

    def start(self, verb: str, url: str, environ: Mapping[str, str], **options: object) -> Worker:
        """One more."""
        self._started.append(Worker(verb, url, environ, options))
        return self._started[-1]


def _append(ledger: StoredLedger, *, run: str, count: str) -> None:
    def begin(state: LedgerState) -> Started:
        return Started(release=release(state.highest + 1), by=holder(run))

    done = 0
    while done < int(count):
        try:
            entry = ledger.append(begin, run=run, epoch=1)
        except LedgerError as error:  # given up: it may have been written all the same
            _say(gave_up=error.message)
            continue
        assert entry is not None
        assert isinstance(entry.fact, Started)
        _say(number=entry.fact.release.number, position=entry.position, nonce=entry.nonce)
        done += 1


def _contend(ledger: StoredLedger, *, run: str, count: str, room: str) -> None:
    for _ in range(int(count)):
        with ledger.lease(holder(run), wait=100) as lease:
            Path(room).mkdir()  # fails when somebody else is in it
            lease.check()
            Path(room).rmdir()
            _say(epoch=lease.epoch)


def _hold(
    ledger: StoredLedger, *, run: str, purpose: str = "release", elsewhere: str = "", wrong_by: str = "0"
) -> None:
    me = holder(run, purpose, elsewhere=bool(elsewhere), wrong_by=float(wrong_by))
    over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    with ledger.lease(me) as lease:
        _say(epoch=lease.epoch)
        try:
            while not over.wait(0.05):
                lease.check()
        except Overtaken as error:
            _say(overtaken=error.message)


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    _VERBS: Mapping[str, Callable[..., None]] = {"append": _append, "contend": _contend, "hold": _hold}
    _VERBS[sys.argv[1]](opened(sys.argv[2], os.environ), **dict(word.split("=", 1) for word in sys.argv[3:]))
