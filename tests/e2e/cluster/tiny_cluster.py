"""The tiny service in a namespace of its own: what serves answers with the text of its release, and nothing else.

One image for all of a session's places; releases differ in their configuration alone, so that each takes the time of
the platform and no build. Everything that the command asks of the cluster goes through the rig's gate, which numbers
the writes and can hold each of them; what the tests look at is read past it.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from shipper.ledger.opening import open_ledger
from shipper.model import Recorded
from tests.e2e.cluster.conftest import Cluster, new_cluster
from tests.e2e.machine import Ended
from tests.e2e.projects import APPS, commit, merged, to_toml
from tests.rig.killing_processes import kill_tree
from tests.rig.kubernetes.gate.hands import When, Write
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig

Shape = Literal["rolling", "blue-green", "canary"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

SERVICE, BASE = "shop", "shop-dev"
CARRIERS = {
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "services": "/api/v1/namespaces/{}/services",
    "httproutes": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
}
_STAMP, _RELEASE = "shipper.dev/stamp", "shipper.dev/release"
_PATIENCE = 60.0
"""Seconds for what must come."""
_IMAGES: dict[str, str] = {}
"""The rig's cluster to the image that was built for it, by digest: one build for all modules of a session."""


class WasNotHeld(AssertionError):
    """The command ended before it had made that write."""


@dataclass
class TinyCluster:
    """One namespace, one service, one folder, one strategy."""

    cluster: Cluster
    shape: Shape
    image: str = ""
    """By digest; empty in the place that builds it."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # The project, and commands.

    def next_text(self) -> str:
        """A text that no release here had before."""
        return f"{self.cluster.namespace} {next(self._numbers)}"

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
            "targets": {"kubernetes": self._way_in},
            "rollout": self._rollout,
            "image": {"repository": self.image.partition("@")[0]} if self.image else {},
        }
        (self.folder / "shipper.toml").write_text(to_toml(merged(merged(self.cluster.settings(), own), settings)))
        if first:
            commit(self.folder, "the tiny service")

    @property
    def _way_in(self) -> dict[str, Any]:
        if self.shape != "canary":
            return {}
        route = {"name": "rig", "namespace": "rig-gateway", "hosts": [self.cluster.host]}
        return {"ingress": None, "gateway": route}

    @property
    def _rollout(self) -> dict[str, Any]:
        if self.shape == "rolling":
            return {}
        steps = {"steps": [10, 50]} if self.shape == "canary" else {}
        return {"strategy": self.shape, "bake": "300ms", **steps}

    @property
    def folder(self) -> Path:
        return self.cluster.home / "tiny"

    @property
    def build_words(self) -> tuple[object, ...]:
        return ("release", "--target", "kubernetes", "--json", "-C", self.folder)

    @property
    def release_words(self) -> tuple[object, ...]:
        """The first one, or the image of what serves with the configuration of now."""
        known = ("--config-only",) if self.text() is not None else ("--image", self.image)
        return (*self.build_words, *known)

    @property
    def rollback_words(self) -> tuple[object, ...]:
        return ("rollback", "--target", "kubernetes", "--json", "-C", self.folder)

    def run(self, *words: object) -> Ended:
        """A command to its end."""
        return self.cluster.run(*words)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """A command in a session of its own; the caller waits for it."""
        return subprocess.Popen(
            self.cluster.command(*words),
            env=self.cluster.variables(),
            cwd=self.cluster.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

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

    def another_machine(self, name: str) -> TinyCluster:
        """Somebody else's, with a home and a copy of the project of its own; the same service, place and ledger."""
        home = self.cluster.home.parent / name
        home.mkdir()
        return replace(self, cluster=replace(self.cluster, home=home))

    # One write of a command, from outside.

    @contextmanager
    def stopped_at(
        self, k: int, when: When, *words: object, resource: str = "*"
    ) -> Iterator[tuple[subprocess.Popen[str], Write]]:
        """A command whose k-th write (to such a resource) is held, before or after it is carried out.

        The write goes on when the block ends, unless the block has let it go or dropped it. Raises WasNotHeld.
        """
        gate, namespace = self.cluster.hands.gate, self.cluster.namespace
        gate.hold(namespace, k, when, resource=resource)
        process = self.start(*words)
        try:
            while (held := gate.held(namespace, 0.2)) is None:
                if process.poll() is not None:
                    out, errors = process.communicate()
                    raise WasNotHeld(f"it ended before its write {k}: {Ended(process.returncode, out, errors, 0)!r}")
            yield process, held
        finally:
            gate.release(namespace)
            if process.poll() is None:
                kill_tree(process.pid)
                process.communicate()

    def killed_at(self, k: int, when: When, *words: object) -> Write:
        """SIGKILL at the k-th write: it was held, and is never carried out (before) or stands (after)."""
        with self.stopped_at(k, when, *words) as (process, held):
            kill_tree(process.pid)
            process.communicate(timeout=_PATIENCE)
            self.cluster.hands.gate.release(self.cluster.namespace, carry=when == "after")
        return held

    # What is there.

    def writes(self) -> list[Write]:
        """Every write to the namespace, in the order in which they came."""
        return self.cluster.hands.gate.writes(self.cluster.namespace)

    def objects(self, what: str) -> list[dict[str, Any]]:
        """Of a kind that may carry the stamp, past the gate."""
        status, found = self.cluster.hands.request("GET", CARRIERS[what].format(self.cluster.namespace))
        assert status == 200, found
        items: list[dict[str, Any]] = found["items"]
        return items

    def text(self) -> str | None:
        """What the service answers; None when nobody does, or with a status above 399."""
        try:
            answer = self.cluster.ask()
        except OSError:
            return None
        return answer.text if answer.status < 400 else None

    @property
    def edge_port(self) -> int:
        port = urlsplit(self.cluster.hands.edge_url).port
        assert port is not None
        return port

    @property
    def serves(self) -> dict[str, int]:
        """Who has traffic, by percent, as the objects say it: the route's backends, or what the Service selects."""
        for route in self.objects("httproutes"):
            backends = route["spec"]["rules"][0]["backendRefs"]
            return {one["name"]: one.get("weight", 1) for one in backends if one.get("weight", 1)}
        found = [one["spec"]["selector"] for one in self.objects("services") if one["metadata"]["name"] == BASE]
        return {one["shipper.dev/workload"]: 100 for one in found}

    def stamp(self) -> dict[str, Any]:
        """The last that was written: each object that ever moved traffic has one."""
        texts = [
            one["metadata"]["annotations"][_STAMP]
            for what in CARRIERS
            for one in self.objects(what)
            if _STAMP in one["metadata"].get("annotations", {})
        ]
        stamps: list[dict[str, Any]] = [json.loads(text) for text in texts]
        return max(stamps, key=lambda stamp: (int(stamp["epoch"]), int(stamp["at"])))

    def left_over(self) -> list[str]:
        """Deployments of no release that was ever verified, pods that a command ran in, and mixed traffic."""
        verified = {one.id for one in self.history() if one.outcome == "verified"}
        found = [
            f"Deployment {one['metadata']['name']}"
            for one in self.objects("deployments")
            if one["metadata"].get("annotations", {}).get(_RELEASE) not in verified
        ]
        status, jobs = self.cluster.hands.request("GET", f"/apis/batch/v1/namespaces/{self.cluster.namespace}/jobs")
        assert status == 200, jobs
        mixed = [] if list(self.serves.values()) == [100] else [f"traffic {self.serves}"]
        return [*found, *(f"Job {one['metadata']['name']}" for one in jobs["items"]), *mixed]

    @property
    def in_order(self) -> bool:
        """Whether it is as a run that ended well leaves it: a test that failed may have left it otherwise."""
        return self.text() is not None and not self.left_over()

    def history(self, newest: int | None = None) -> list[Recorded]:
        """Every release or so many, newest first, read from the ledger."""
        environ = {**os.environ, **self.cluster.store.environ}
        opened = open_ledger(
            self.cluster.ledger, service=SERVICE, environment="dev", target="kubernetes", environ=environ
        )
        return list(itertools.islice(opened.history(), newest))

    def until(self, true: Callable[[], bool]) -> None:
        """The platform gets there in its own time."""
        deadline = time.monotonic() + _PATIENCE
        while not true():
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.05)


class KubePlaces:
    """Makes places: each a namespace and a ledger of its own, all with one image that the first of them builds."""

    def __init__(self, shipper: Path, rig: Rig, hands: KubeRig, store: RunningStore, folder: Path) -> None:
        self._shipper, self._rig, self._hands, self._store, self._folder = shipper, rig, hands, store, folder
        self._made: list[TinyCluster] = []
        self._kept: dict[Shape, TinyCluster] = {}

    def fresh(self, shape: Shape) -> TinyCluster:
        """Nothing in it yet."""
        edge = self._hands.edge_url
        if edge not in _IMAGES:
            _IMAGES[edge] = self._built()
        return self._new(shape, _IMAGES[edge])

    def kept(self, shape: Shape) -> TinyCluster:
        """The one that tests share as long as all is well there; something serves."""
        place = self._kept.get(shape)
        if place is None or not place.in_order:
            place = self._kept[shape] = self.fresh(shape)
            place.served()
        return place

    def give_up(self, shape: Shape) -> None:
        """The next test gets another one."""
        self._kept.pop(shape, None)

    def close(self) -> None:
        for place in self._made:
            self._hands.drop(place.cluster.namespace)

    def _new(self, shape: Shape, image: str = "") -> TinyCluster:
        folder = self._folder / f"{len(self._made)}"
        made = new_cluster("kubernetes", self._shipper, self._rig, self._hands, self._store, folder, gate=True)
        place = TinyCluster(made, shape, image)
        self._made.append(place)
        return place

    def _built(self) -> str:
        place = self._new("rolling")
        place.write("the image")
        ended = place.run(*place.build_words)
        assert ended.code == 0, ended
        image: str = ended.finished["serves"]["image"]
        assert "@sha256:" in image, image
        return image


def slow_start(seconds: int) -> Mapping[str, Any]:
    """Settings with which a release takes so long until it is ready."""
    return {"run": {"env": {"START_SECONDS": str(seconds)}}, "health": {"startup": f"{seconds + 30}s"}}
