"""The tiny service on Knative, in a namespace of its own.

One image for all releases. What the command asks of the cluster goes through the rig's gate; what the tests look at is
read past it.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shipper.ledger.opening import open_ledger
from shipper.model import Recorded
from tests.e2e.answer import asked
from tests.e2e.cluster.conftest import Cluster, new_cluster
from tests.e2e.machine import Ended
from tests.e2e.tiny_place import TinyPlace
from tests.rig import load
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig

BASE = "shop-dev"


@dataclass
class TinyKnative(TinyPlace):
    """One namespace, one service, one folder."""

    SERVICE = "shop"
    cluster: Cluster

    @property
    def machine(self) -> Cluster:
        return self.cluster

    @property
    def name(self) -> str:
        return self.cluster.namespace

    @property
    def own_settings(self) -> dict[str, Any]:
        return {"health": {"timeout": "1s"}}

    @property
    def release_words(self) -> tuple[object, ...]:
        """The first one with a build, later ones with the image of what serves and the configuration of now."""
        known = ("--config-only",) if self.text() is not None else ()
        return ("release", *self._here, *known)

    @property
    def rollback_words(self) -> tuple[object, ...]:
        return ("rollback", *self._here)

    @property
    def _here(self) -> tuple[object, ...]:
        return ("--target", "knative", "--json", "-C", self.folder)

    def run(self, *words: object) -> Ended:
        return self.cluster.run(*words)

    def start(self, *words: object) -> subprocess.Popen[str]:
        return self.cluster.start(*words)

    def under_load(self, rate: float) -> load.Load:
        port = urlsplit(self.cluster.hands.edge_url).port
        assert port is not None
        return load.start(port, rate=rate, host=self._host)

    def history(self, newest: int | None = None) -> list[Recorded]:
        environ = {**os.environ, **self.cluster.store.environ}
        opened = open_ledger(
            self.cluster.ledger, service=self.SERVICE, environment="dev", target="knative", environ=environ
        )
        return list(itertools.islice(opened.history(), newest))

    def as_(self, kubeconfig: Path) -> TinyKnative:
        """The same place, for somebody who comes in this way."""
        return replace(self, cluster=replace(self.cluster, kubeconfig=kubeconfig))

    # What is there.

    def object(self) -> dict[str, Any] | None:
        """The Service, past the gate; None when there is none."""
        path = f"/apis/serving.knative.dev/v1/namespaces/{self.cluster.namespace}/services/{BASE}"
        status, found = self.cluster.hands.request("GET", path)
        assert status in (200, 404), found
        return found if status == 200 else None

    def text(self) -> str | None:
        """What the service answers by the name that Knative gave it; None when nobody does."""
        try:
            answer = asked(self.cluster.hands.edge_url, host=self._host) if self._host else None
        except OSError:
            return None
        return answer.text if answer is not None and answer.status < 400 else None

    @property
    def _host(self) -> str:
        return str((self.object() or {}).get("status", {}).get("url", "")).partition("://")[2]

    @property
    def newest(self) -> str:
        """The revision that Knative made last."""
        return str((self.object() or {}).get("status", {}).get("latestCreatedRevisionName", ""))

    @property
    def serves(self) -> dict[str, int]:
        """Revision to percent, as Knative has routed it."""
        traffic = (self.object() or {}).get("status", {}).get("traffic", [])
        return {one["revisionName"]: one["percent"] for one in traffic if one.get("percent")}

    @property
    def idle_tags(self) -> list[str]:
        """Tags that are asked for of revisions without traffic."""
        traffic = (self.object() or {}).get("spec", {}).get("traffic", [])
        return [one["tag"] for one in traffic if one.get("tag") and not one.get("percent")]


@contextmanager
def tiny_knative(shipper: Path, rig: Rig, hands: KubeRig, store: RunningStore, folder: Path) -> Iterator[TinyKnative]:
    """A namespace, with nothing in it yet."""
    made = new_cluster("knative", shipper, rig, hands, store, folder, gate=True)
    yield TinyKnative(made)
    hands.drop(made.namespace)
