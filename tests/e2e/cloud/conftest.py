"""The installed command against the rig's Google Cloud: a project, a bucket for the ledger, and a key of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import Answer, Ended
from tests.e2e.projects import merged
from tests.rig import stores
from tests.rig.google.handle import GoogleRig
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig

REGION = "us-central1"
_NUMBERS = itertools.count()

QUICK: dict[str, Any] = {"scan": {"enabled": False}, "smoke": {"enabled": False}}
"""Other tests are about what is found in an image; the golden requests are asked of what serves all the same."""


@dataclass
class Cloud:
    """A project on the rig's Google Cloud as far as shipper is concerned, and a machine that has a key for it."""

    shipper: Path
    rig: Rig
    project: str
    home: Path
    key: Path
    store: RunningStore
    ledger: str
    hands: GoogleRig
    environment: dict[str, str] = field(default_factory=dict)

    def settings(self, **more: Any) -> dict[str, Any]:
        """What a project's shipper.toml says about this place, to be merged with more."""
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

    def variables(self, **more: str) -> dict[str, str]:
        """What a user of Google Cloud has in the environment, with a home of this test's own."""
        own = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in ("STATE", "CACHE", "CONFIG", "DATA")}
        google = {**self.rig.google.env, "GOOGLE_APPLICATION_CREDENTIALS": str(self.key)}
        return {**os.environ, **self.rig.env(), **own, **google, **self.store.environ, **self.environment, **more}

    def run(self, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ended:
        """The command, to its end, from a directory that has nothing to do with anything."""
        started = time.monotonic()
        process = subprocess.run(
            [str(self.shipper), *(str(word) for word in words)],
            env=self.variables(**(env or {})),
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(process.returncode, process.stdout, process.stderr, time.monotonic() - started)

    def release(self, folder: Path, *words: object, env: Mapping[str, str] | None = None) -> Ended:
        """`shipper release --target cloudrun --json` of a project."""
        return self.run("release", "--target", "cloudrun", "--json", "-C", folder, *words, env=env)

    def from_nowhere(self, *words: object) -> Ended:
        """A command from an empty directory of somebody who never released: the place is named by its address."""
        where = f"cloudrun://{self.project}/{REGION}?endpoint={self.hands.url}"
        fresh = {f"XDG_{kind}_HOME": str(self.home / f"other-{kind}") for kind in ("STATE", "CACHE", "CONFIG", "DATA")}
        empty = self.home / "empty"
        empty.mkdir(exist_ok=True)
        nothing = (self.home / "no-ledger").as_uri()
        named = ("--service", "shop", "--target", where, "--ledger", nothing)
        return self.run(*words, *named, "--json", env=fresh, cwd=empty)

    @property
    def service(self) -> dict[str, Any]:
        """The Cloud Run service as the platform's own API shows it."""
        status, found = self.api("GET", f"/v2/{self.name}")
        assert status == 200, found
        return found

    @property
    def name(self) -> str:
        return f"projects/{self.project}/locations/{REGION}/services/shop-dev"

    @property
    def serves(self) -> dict[str, int]:
        """Revision to percent, as the platform says it."""
        return {one["revision"]: one["percent"] for one in self.service["trafficStatuses"] if one.get("percent")}

    def ask(self, path: str = "/") -> Answer:
        """Ask the service's address as a user does."""
        request = urllib.request.Request(f"{self.service['uri']}{path}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=15) as answer:
                return Answer(answer.status, answer.headers.get("X-Shipper-Revision"), answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers.get("X-Shipper-Revision"), error.read().decode())

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """The platform's REST API, as the console speaks to it."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self.hands.url}{path}", content, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(asked, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture(scope="session")
def ledger_store(google_rig: Rig) -> Iterator[RunningStore]:
    """The rig's object store, for every ledger of this session."""
    with stores.gcs() as store:
        yield store


@pytest.fixture
def cloud(shipper: Path, google_rig: Rig, ledger_store: RunningStore, tmp_path: Path) -> Iterator[Cloud]:
    """A project with nothing in it yet."""
    from tests.rig.google.identity import Identity

    home = tmp_path / "home"
    home.mkdir()
    project = f"e2e-{os.getpid()}-{next(_NUMBERS)}"
    identity = Identity(google_rig.google.folder / "identity")
    key = identity.key_file(tmp_path / "key.json", f"ci@{project}.iam.gserviceaccount.com")
    hands = GoogleRig(google_rig.google.endpoint)
    yield Cloud(shipper, google_rig, project, home, key, ledger_store, ledger_store.url, hands)
    hands.wipe(project)
