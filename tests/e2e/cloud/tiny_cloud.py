"""The tiny service on the rig's Cloud Run: what serves answers with the text of its release, and nothing else.

One image for all of a session's places; releases differ in their configuration alone, so that each takes the time of
the platform and no build. Writes are numbered where they arrive: the platform's by the rig's hands, the ledger's by a
proxy before the object store.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shipper.ledger.opening import open_ledger
from shipper.model import Recorded
from tests.e2e.cloud.conftest import REGION, Cloud, new_cloud
from tests.e2e.killing.signalled import Run
from tests.e2e.machine import Ended
from tests.e2e.projects import APPS, commit, merged, to_toml
from tests.rig.killing import KillPoints
from tests.rig.killing_processes import kill_tree
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig

Transport = Literal["grpc", "rest"]
When = Literal["before", "after"]
Death = Literal["before", "after", "late"]
""""before": the write is dropped; "after": it stands; "late": it is carried out when the next run has ended."""

SERVICE = "shop"
CANARY: Mapping[str, Any] = {"rollout": {"strategy": "canary", "steps": [10, 50], "bake": "300ms"}}
_PATIENCE = 60.0
"""Seconds for what must come."""
_PROJECTS = itertools.count(1)
_IMAGES: dict[str, str] = {}
"""Where the rig is to the image that was built there, by digest: one build for all modules of a session."""


class WasNotHeld(AssertionError):
    """The command ended before it had made that write."""


@dataclass
class TinyCloud:
    """One project, one service, one folder, one transport."""

    cloud: Cloud
    points: KillPoints
    transport: Transport
    image: str = ""
    """By digest; empty in the place that builds it."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # The project, and commands.

    def next_text(self) -> str:
        """A text that no release here had before."""
        return f"{self.cloud.project} {next(self._numbers)}"

    def write(self, text: str, **settings: Any) -> None:
        """The project, such that a release of it answers with this text. Only its configuration ever changes."""
        first = not self.folder.exists()
        shutil.copytree(APPS / "tiny", self.folder, dirs_exist_ok=True)
        own: dict[str, Any] = {
            "service": SERVICE,
            "run": {"env": {"TEXT": text}},
            "scan": {"enabled": False},
            "smoke": {"enabled": False, "requests": [{"name": "text", "path": "/", "expect": {"contains": text}}]},
            "health": {"timeout": "1s"},
            "targets": {"cloudrun": {"transport": self.transport}},
            "image": {"repository": self.image.partition("@")[0]} if self.image else {},
        }
        (self.folder / "shipper.toml").write_text(to_toml(merged(merged(self.cloud.settings(), own), settings)))
        if first:
            commit(self.folder, "the tiny service")

    @property
    def folder(self) -> Path:
        return self.cloud.home / "tiny"

    @property
    def build_words(self) -> tuple[object, ...]:
        return ("release", "--target", "cloudrun", "--json", "-C", self.folder)

    @property
    def release_words(self) -> tuple[object, ...]:
        """The first one, or the image of what serves with the configuration of now."""
        known = ("--config-only",) if self.text() is not None else ("--image", self.image)
        return (*self.build_words, *known)

    @property
    def rollback_words(self) -> tuple[object, ...]:
        return ("rollback", "--target", "cloudrun", "--json", "-C", self.folder)

    def run(self, *words: object) -> Ended:
        """A command to its end, or to the write of the ledger that it is armed for."""
        started = time.monotonic()
        done = self.points.run(self.cloud.command(*words), env=self._variables(), cwd=self.cloud.home)
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """A command in a session of its own; the caller waits for it."""
        return self.points.start(self.cloud.command(*words), env=self._variables(), cwd=self.cloud.home)

    def release(self, text: str, **settings: Any) -> Ended:
        """Write the project with this text and release it."""
        self.write(text, **settings)
        return self.run(*self.release_words)

    def served(self) -> str:
        """What serves now; a first release when nothing does."""
        text = self.text()
        if text is None:
            text = self.next_text()
            ended = self.release(text)
            assert ended.code == 0, ended
        return text

    # One write of a command, from outside.

    @contextmanager
    def stopped_at(self, k: int, when: When, *words: object) -> Iterator[subprocess.Popen[str]]:
        """A command whose k-th write to the platform is held, before or after it is carried out.

        The write goes on when the block ends, unless the block has let it go or dropped it. Raises WasNotHeld.
        """
        hands, project = self.cloud.hands, self.cloud.project
        hands.hold(project, k, after=when == "after")
        process = self.start(*words)
        try:
            while hands.held(project, 0.2) is None:
                if process.poll() is not None:
                    out, errors = process.communicate()
                    raise WasNotHeld(f"it ended before its write {k}: {Ended(process.returncode, out, errors, 0)!r}")
            yield process
        finally:
            hands.release(project)

    @contextmanager
    def killed_at(self, k: int, death: Death, *words: object) -> Iterator[None]:
        """SIGKILL at the k-th write to the platform; at the end of the block a late one has been answered."""
        with self.stopped_at(k, "after" if death == "after" else "before", *words) as process:
            kill_tree(process.pid)
            process.communicate()
            held = len(self.writes())
            if death != "late":
                self.cloud.hands.release(self.cloud.project, carry=death == "after")
            yield
        self.until(lambda: bool(self.writes()[held - 1]["code"]))

    def meddled(self, k: int, when: When, meddle: Callable[[], object], *words: object) -> Ended:
        """A command to its end; while its k-th write is held, `meddle` does what somebody else might do."""
        started = time.monotonic()
        with self.stopped_at(k, when, *words) as process:
            run = Run(process)
            meddle()
        ended = run.end(180)
        return replace(ended, seconds=time.monotonic() - started)

    # What is there.

    def text(self) -> str | None:
        """What the service answers; None when there is none, when nobody answers, or with a status above 399."""
        if self.service() is None:
            return None
        try:
            answer = self.cloud.ask()
        except (urllib.error.URLError, OSError):
            return None
        return answer.text if answer.status < 400 else None

    def service(self) -> dict[str, Any] | None:
        status, found = self.cloud.hands.request("GET", f"/v2/{self.cloud.name}")
        return found if status == 200 else None

    def revisions(self) -> list[str]:
        """Those that are ready."""
        found = self.cloud.hands.request("GET", f"/v2/{self.cloud.name}/revisions")[1]["revisions"]
        ready = ("Ready", "CONDITION_SUCCEEDED")
        return [
            one["name"].rpartition("/")[2]
            for one in found
            if ready in [(each["type"], each["state"]) for each in one["conditions"]]
        ]

    @property
    def port(self) -> int:
        """Of the service's address."""
        return int(self.cloud.service["uri"].rpartition(":")[2])

    @property
    def in_order(self) -> bool:
        """Whether all traffic is where shipper wrote it last: a test that failed may have left it elsewhere."""
        annotations = self.cloud.service["annotations"]
        wrote: dict[str, int] = json.loads(annotations["shipper.dev/written"])["traffic"]
        return wrote == self.cloud.serves and list(wrote.values()) == [100] and self.text() is not None

    def settled(self) -> None:
        """Wait until the platform has done what it was asked to."""
        self.until(lambda: not self.cloud.service.get("reconciling"))

    def stamp(self) -> dict[str, Any]:
        stamp: dict[str, Any] = json.loads(self.cloud.service["annotations"]["shipper.dev/stamp"])
        return stamp

    def left_over(self) -> list[str]:
        """Tags on revisions without traffic, and services that nobody asked for."""
        parent = f"projects/{self.cloud.project}/locations/{REGION}/services"
        there = [found["name"] for found in self.cloud.hands.request("GET", f"/v2/{parent}")[1].get("services", [])]
        traffic = (self.service() or {}).get("traffic", [])
        tags = [
            f"tag {one['tag']} of {one['revision']}" for one in traffic if one.get("tag") and not one.get("percent")
        ]
        return tags + [f"service {name}" for name in there if name != self.cloud.name]

    def history(self, newest: int | None = None) -> list[Recorded]:
        """Every release or so many, newest first, read from the ledger past the proxy."""
        environ = {**os.environ, **self.cloud.store.environ}
        opened = open_ledger(self.cloud.ledger, service=SERVICE, environment="dev", target="cloudrun", environ=environ)
        return list(itertools.islice(opened.history(), newest))

    def writes(self) -> list[dict[str, Any]]:
        """Every write to the platform, in the order in which they came."""
        return self.cloud.hands.writes(self.cloud.project)

    def until(self, true: Callable[[], bool]) -> None:
        """The platform gets there in its own time."""
        deadline = time.monotonic() + _PATIENCE
        while not true():
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.05)

    def _variables(self) -> dict[str, str]:
        store = self.cloud.store.through(self.points.store_url)
        return self.cloud.variables(**store.environ)


class Places:
    """Makes places: each a project of its own, all with one image that the first of them builds."""

    def __init__(self, shipper: Path, rig: Rig, store: RunningStore, points: KillPoints, folder: Path) -> None:
        self._shipper, self._rig, self._store, self._points, self._folder = shipper, rig, store, points, folder
        self._made: list[TinyCloud] = []
        self._kept: dict[Transport, TinyCloud] = {}

    def fresh(self, transport: Transport) -> TinyCloud:
        """Nothing in it yet."""
        rig = self._rig.google.endpoint
        if rig not in _IMAGES:
            _IMAGES[rig] = self._built()
        return self._new(transport, _IMAGES[rig])

    def kept(self, transport: Transport) -> TinyCloud:
        """The one that tests share as long as all is well there; something serves."""
        place = self._kept.get(transport)
        if place is None or not place.in_order:
            place = self._kept[transport] = self.fresh(transport)
            place.served()
        return place

    def give_up(self, transport: Transport) -> None:
        """The next test gets another one."""
        self._kept.pop(transport, None)

    def close(self) -> None:
        for place in self._made:
            place.cloud.hands.wipe(place.cloud.project)

    def _cloud(self) -> Cloud:
        project = f"tiny-{os.getpid()}-{next(_PROJECTS)}"
        return new_cloud(self._shipper, self._rig, self._store, project, self._folder / project)

    def _new(self, transport: Transport, image: str = "") -> TinyCloud:
        place = TinyCloud(self._cloud(), self._points, transport, image)
        self._made.append(place)
        return place

    def _built(self) -> str:
        place = self._new("grpc")
        place.write("the image")
        ended = place.run(*place.build_words)
        assert ended.code == 0, ended
        image: str = place.cloud.service["template"]["containers"][0]["image"]
        return image


@contextmanager
def places_in(shipper: Path, rig: Rig, store: RunningStore, folder: Path) -> Iterator[Places]:
    """For a module's tests, with a proxy before the store of all their ledgers."""
    with KillPoints(rig.docker_host, store.endpoint) as points:
        places = Places(shipper, rig, store, points, folder)
        yield places
        places.close()
