"""A host with the tiny service on it, reached through proxies that count, kill, delay and remember every write."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shipper.model import Recorded
from tests.e2e.conftest import Host, docker
from tests.e2e.machine import Ended
from tests.e2e.tiny_place import TinyPlace
from tests.rig import load
from tests.rig.killing import KillPoints

if TYPE_CHECKING:
    from tests.e2e.killing.ledgers import LedgerPlace

SERVICE = "tiny"


@dataclass
class TinyHost(TinyPlace):
    """One host, one service, one folder. Its image is built with every release, and found in the cache."""

    SERVICE = SERVICE
    host: Host
    points: KillPoints
    ledger: LedgerPlace | None = None
    """None: the directory of its machine's own."""

    @property
    def machine(self) -> Host:
        return self.host

    @property
    def name(self) -> str:
        return self.host.home.name

    @property
    def own_settings(self) -> dict[str, Any]:
        return {"run": {"stop_grace": "1s"}}

    @property
    def release_words(self) -> tuple[object, ...]:
        return ("release", "--json", "-C", self.folder)

    @property
    def rollback_words(self) -> tuple[object, ...]:
        return ("rollback", "--json", "-C", self.folder)

    def run(self, *words: object) -> Ended:
        """A command through the proxies, to its end or to the write that it is armed for."""
        started = time.monotonic()
        done = self.points.run(self.host.command(*words), env=self.host.variables(), cwd=self.host.home)
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def start(self, *words: object, **options: Any) -> subprocess.Popen[str]:
        """A command through the proxies; the caller waits for it."""
        return self.points.start(self.host.command(*words), env=self.host.variables(), cwd=self.host.home, **options)

    def under_load(self, rate: float, timeout: float = 10.0) -> load.Load:
        return load.start(self.host.port, rate=rate, timeout=timeout)

    def history(self, newest: int | None = None) -> list[Recorded]:
        assert self.ledger is not None, "only what is in a ledger of the test's is read"
        return self.ledger.history(newest)

    def inventory(self) -> Counter[str]:
        """How many of each kind are there, names without what differs from release to release."""
        space = self.host.namespace
        found: Counter[str] = Counter()
        for name in _lines("ps", "-a", "--format", "{{.Names}}", "--filter", f"name=^{space}-"):
            found["proxy" if name == f"{space}-proxy" else "container"] += 1
        for name in _lines("ps", "-a", "--format", "{{.Names}}", "--filter", f"volume={space}-state"):
            found["helper"] += name != f"{space}-proxy"
        found["network"] += len(_lines("network", "ls", "-q", "--filter", f"name=^{space}$"))
        for name in _lines("volume", "ls", "-q", "--filter", f"name=^{space}-"):
            found[f"volume {_same(name.removeprefix(space))}"] += 1
        found["unfinished image"] += len(_lines("image", "ls", "-q", "--filter", f"reference=*/{SERVICE}:building-*"))
        for path in self.state_files():
            if not path.startswith("/state/addresses/") and "/releases/" not in path:
                found[f"file {_same(path)}"] += 1
        return +found

    def state_files(self) -> list[str]:
        """What is in the host's state volume, and in the proxy's /tmp."""
        proxy = f"{self.host.namespace}-proxy"
        return _lines("exec", proxy, "find", "/state", "/tmp", "-not", "-type", "d")

    def addresses(self) -> set[str]:
        """The containers that hold a fixed address, and those that a killed run was about to make."""
        space = self.host.namespace
        return {f"{space}-{Path(path).name}" for path in self.state_files() if path.startswith("/state/addresses/")}

    def age_addresses(self) -> None:
        """Eleven minutes pass for the addresses: the host keeps one for ten that has no container yet."""
        proxy = f"{self.host.namespace}-proxy"
        docker("exec", proxy, "sh", "-c", "touch -d '11 minutes ago' /state/addresses/*")


class NewPlace(Protocol):
    """Makes places."""

    def __call__(self, ledger: LedgerPlace | None = None, beside: TinyHost | None = None) -> TinyHost:
        """A host of its own; `beside` another place: the same host, as another machine uses it."""


def _lines(*words: str) -> list[str]:
    return docker(*words).splitlines()


def _same(name: str) -> str:
    """A name without its numbers and ids, so that the same things of two releases are called the same."""
    without_ids = re.sub(rf"(?<={SERVICE}-)\d+-[0-9a-z]+", "#", name)
    return re.sub(r"\d+|[0-9a-f]{12,}", "#", without_ids)
