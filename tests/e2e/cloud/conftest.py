"""The installed command against the rig's Google Cloud: a project, a bucket for the ledger, and a key of its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.answer import Answer, asked
from tests.e2e.machine import PlatformMachine
from tests.e2e.projects import merged
from tests.rig.google.handle import GoogleRig

if TYPE_CHECKING:
    from tests.e2e.cloud.tiny_cloud import CloudPlaces
    from tests.rig.api import Rig
    from tests.rig.stores import RunningStore

REGION = "us-central1"
_NUMBERS = itertools.count()


@dataclass
class Cloud(PlatformMachine):
    """A project on the rig's Google Cloud as far as shipper is concerned, and a machine that has a key for it."""

    project: str
    key: Path
    hands: GoogleRig

    def settings(self, **more: Any) -> dict[str, Any]:
        own = {
            "kind": "cloudrun",
            "project": self.project,
            "region": REGION,
            "endpoint": self.hands.url,
            "access": "public",
        }
        here = {
            "targets": {"cloudrun": own},
            "image": {
                "repository": f"{REGION}-docker.pkg.dev/{self.project}/models/shop",
                "create_repository": True,
            },
            "ledger": {"url": self.ledger},
            "health": {"startup": "20s"},
        }
        return merged(here, more)

    def reach(self) -> Mapping[str, str]:
        """What a user of Google Cloud has in the environment, and the way to the ledger."""
        return {**self.rig.google.env, "GOOGLE_APPLICATION_CREDENTIALS": str(self.key), **self.store.environ}

    @property
    def address(self) -> str:
        return f"cloudrun://{self.project}/{REGION}?endpoint={self.hands.url}"

    @property
    def service(self) -> dict[str, Any]:
        """The Cloud Run service as the platform's own API shows it."""
        status, found = self.hands.request("GET", f"/v2/{self.name}")
        assert status == 200, found
        service: dict[str, Any] = found
        return service

    @property
    def name(self) -> str:
        return f"projects/{self.project}/locations/{REGION}/services/shop-dev"

    @property
    def serves(self) -> dict[str, int]:
        """Revision to percent, as the platform says it."""
        return {one["revision"]: one["percent"] for one in self.service["trafficStatuses"] if one.get("percent")}

    def ask(self, path: str = "/") -> Answer:
        return asked(f"{self.service['uri']}{path}")


def new_cloud(shipper: Path, rig: Rig, store: RunningStore, project: str, folder: Path) -> Cloud:
    """A project with nothing in it yet, which lets nobody in without a token; home and key are in this folder."""
    from tests.rig.google.identity import Identity

    home = folder / "home"
    home.mkdir(parents=True)
    identity = Identity(rig.google.folder / "identity")
    key = identity.key_file(folder / "key.json", f"ci@{project}.iam.gserviceaccount.com")
    hands = GoogleRig(rig.google.endpoint)
    hands.need_tokens(project)
    return Cloud(shipper, rig, home, "cloudrun", store, store.url, project, key, hands)


@pytest.fixture
def cloud(shipper: Path, google_rig: Rig, ledger_store: RunningStore, tmp_path: Path) -> Iterator[Cloud]:
    """A project with nothing in it yet."""
    made = new_cloud(shipper, google_rig, ledger_store, f"e2e-{os.getpid()}-{next(_NUMBERS)}", tmp_path)
    yield made
    made.hands.wipe(made.project)


@pytest.fixture(scope="module")
def places(
    shipper: Path, google_rig: Rig, ledger_store: RunningStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudPlaces]:
    """Projects with the tiny service, for a module's tests."""
    from tests.e2e.cloud.tiny_cloud import places_in

    with places_in(shipper, google_rig, ledger_store, tmp_path_factory.mktemp("clouds")) as made:
        yield made
