"""The tiny service on the rig's Cloud Run.

Writes are numbered where they arrive: the platform's by the rig's hands, the ledger's by a proxy before the object
store.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from tests.e2e.cloud.conftest import REGION, Cloud, new_cloud
from tests.e2e.killing.signalled import Run
from tests.e2e.machine import Ended
from tests.e2e.registry_place import Places, RegistryPlace, until_held
from tests.rig import load
from tests.rig.killing import KillPoints, When
from tests.rig.killing_processes import kill_tree
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig

Transport = Literal["grpc", "rest"]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
Death = Literal["before", "after", "late"]
""""before": the write is dropped; "after": it stands; "late": it is carried out when the next run has ended."""

_PROJECTS = itertools.count(1)


@dataclass
class TinyCloud(RegistryPlace):
    """One project, one service, one folder, one transport."""

    cloud: Cloud
    points: KillPoints
    transport: Transport

    @property
    def machine(self) -> Cloud:
        return self.cloud

    @property
    def name(self) -> str:
        return self.cloud.project

    @property
    def own_settings(self) -> dict[str, Any]:
        return {**super().own_settings, "targets": {"cloudrun": {"transport": self.transport}}}

    def run(self, *words: object) -> Ended:
        """A command to its end, or to the write of the ledger that it is armed for."""
        started = time.monotonic()
        done = self.points.run(self.cloud.command(*words), env=self._variables(), cwd=self.cloud.home)
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def start(self, *words: object) -> subprocess.Popen[str]:
        return self.points.start(self.cloud.command(*words), env=self._variables(), cwd=self.cloud.home)

    def _variables(self) -> dict[str, str]:
        store = self.cloud.store.through(self.points.store_url)
        return self.cloud.variables(**store.environ)

    def under_load(self, rate: float) -> load.Load:
        port = int(self.cloud.service["uri"].rpartition(":")[2])
        return load.start(port, rate=rate, host="127.0.0.1")

    def remove(self) -> None:
        self.cloud.hands.wipe(self.cloud.project)

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
            until_held(process, k, lambda: hands.held(project, 0.2))
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
        """None when there is no service, too."""
        return super().text() if self.service() is not None else None

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
    def serves(self) -> dict[str, int]:
        return self.cloud.serves

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

    def writes(self) -> list[dict[str, Any]]:
        """Every write to the platform, in the order in which they came."""
        return self.cloud.hands.writes(self.cloud.project)


CloudPlaces = Places[TinyCloud, Transport]


@contextmanager
def places_in(shipper: Path, rig: Rig, store: RunningStore, folder: Path) -> Iterator[CloudPlaces]:
    """For a module's tests: each place a project of its own, with a proxy before the store of all their ledgers."""
    with KillPoints(rig.docker_host, store.endpoint) as points:

        def new(transport: Transport) -> TinyCloud:
            project = f"tiny-{os.getpid()}-{next(_PROJECTS)}"
            return TinyCloud(new_cloud(shipper, rig, store, project, folder / project), points, transport)

        places = CloudPlaces(rig.google.endpoint, new, "grpc")
        yield places
        places.close()
