"""A host with the tiny service on it, reached through proxies that count, kill, delay and remember every write."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.error import URLError

from tests.e2e.conftest import Host, docker
from tests.e2e.machine import Ended
from tests.e2e.projects import APPS, commit, merged, to_toml
from tests.rig.killing import KillPoints

if TYPE_CHECKING:
    from tests.e2e.killing.ledgers import LedgerPlace

SERVICE = "tiny"
CANARY: Mapping[str, Any] = {"rollout": {"strategy": "canary", "steps": [10, 50], "bake": "300ms"}}
"""10, 50, 100 with a bake time that is over at once, but for the tests that need more."""


@dataclass
class TinyPlace:
    """One host, one service, one folder. What serves answers with the text of its release, and nothing else."""

    host: Host
    points: KillPoints
    folder: Path
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def next_text(self) -> str:
        """A text that no release here had before."""
        return f"{self.folder.name} {next(self._numbers)}"

    def write(self, text: str, **settings: Any) -> None:
        """The project, such that a release of it answers with this text. Only its configuration ever changes."""
        first = not self.folder.exists()
        shutil.copytree(APPS / "tiny", self.folder, dirs_exist_ok=True)
        own = {
            "service": SERVICE,
            "run": {"env": {"TEXT": text}, "stop_grace": "1s"},
            "scan": {"enabled": False},
            "smoke": {"enabled": False, "requests": [{"name": "text", "path": "/", "expect": {"contains": text}}]},
        }
        (self.folder / "shipper.toml").write_text(to_toml(merged(self.host.settings(**own), settings)))
        if first:
            commit(self.folder, "the tiny service")

    def run(self, *words: object) -> Ended:
        """A command through the proxies, to its end or to the write that it is armed for."""
        started = time.monotonic()
        done = self.points.run(self.host.command(*words), env=self.host.variables(), cwd=self.host.home)
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def start(self, *words: object, **options: Any) -> subprocess.Popen[str]:
        """A command through the proxies; the caller waits for it."""
        return self.points.start(self.host.command(*words), env=self.host.variables(), cwd=self.host.home, **options)

    def release(self, text: str, **settings: Any) -> Ended:
        """Write the project with this text and release it."""
        self.write(text, **settings)
        return self.run(*self.release_words)

    @property
    def release_words(self) -> tuple[object, ...]:
        return ("release", "--json", "-C", self.folder)

    @property
    def rollback_words(self) -> tuple[object, ...]:
        return ("rollback", "--json", "-C", self.folder)

    def text(self) -> str | None:
        """What the service answers; None when nobody does, or with a status above 399."""
        try:
            answer = self.host.ask()
        except (URLError, OSError):
            return None
        return answer.text if answer.status < 400 else None

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

    def __call__(self, ledger: LedgerPlace | None = None, beside: TinyPlace | None = None) -> TinyPlace:
        """A host of its own; `beside` another place: the same host, as another machine uses it."""


def _lines(*words: str) -> list[str]:
    return docker(*words).splitlines()


def _same(name: str) -> str:
    """A name without its numbers and ids, so that the same things of two releases are called the same."""
    without_ids = re.sub(rf"(?<={SERVICE}-)\d+-[0-9a-z]+", "#", name)
    return re.sub(r"\d+|[0-9a-f]{12,}", "#", without_ids)
