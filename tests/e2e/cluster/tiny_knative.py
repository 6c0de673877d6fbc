"""The tiny service on Knative, in a namespace of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.e2e.answer import asked
from tests.e2e.cluster.conftest import new_cluster
from tests.e2e.cluster.namespace_place import BASE, STAMP, NamespacePlace
from tests.e2e.registry_place import Places

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig
    from tests.rig.stores import RunningStore

Only = Literal["knative"]
"""There is one kind of it."""


@dataclass
class TinyKnative(NamespacePlace):
    """Its users ask by the name that Knative gave it."""

    @property
    def host(self) -> str:
        return str((self.object() or {}).get("status", {}).get("url", "")).partition("://")[2]

    def text(self) -> str | None:
        try:
            answer = asked(self.cluster.hands.edge_url, host=self.host) if self.host else None
        except OSError:
            return None
        return answer.text if answer is not None and answer.status < 400 else None

    # What is there.

    def object(self) -> dict[str, Any] | None:
        """The Service, past the gate; None when there is none."""
        return self.looked("/apis/serving.knative.dev/v1/namespaces/{}/services/" + BASE)

    @property
    def newest(self) -> str:
        """The revision that Knative made last."""
        return str((self.object() or {}).get("status", {}).get("latestCreatedRevisionName", ""))

    @property
    def serves(self) -> dict[str, int]:
        """Revision to percent, as Knative has routed it."""
        traffic = (self.object() or {}).get("status", {}).get("traffic", [])
        return {one["revisionName"]: one["percent"] for one in traffic if one.get("percent")}

    def stamp(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.object() or {})["metadata"]["annotations"][STAMP])
        return found

    def left_over(self) -> list[str]:
        """Tags that are asked for of revisions without traffic."""
        traffic = (self.object() or {}).get("spec", {}).get("traffic", [])
        idle = [one for one in traffic if one.get("tag") and not one.get("percent")]
        return [f"tag {one['tag']} of {one['revisionName']}" for one in idle]

    @property
    def in_order(self) -> bool:
        return self.text() is not None and not self.left_over() and list(self.serves.values()) == [100]


KnativePlaces = Places[TinyKnative, Only]


@contextmanager
def places_in(shipper: Path, rig: Rig, hands: KubeRig, store: RunningStore, folder: Path) -> Iterator[KnativePlaces]:
    """For a module's tests: each place a namespace and a ledger of its own."""
    homes = (folder / str(number) for number in itertools.count())

    def new(kind: Only) -> TinyKnative:
        return TinyKnative(new_cluster(kind, shipper, rig, hands, store, next(homes), gate=True))

    places = KnativePlaces(hands.edge_url, new, "knative")
    yield places
    places.close()
