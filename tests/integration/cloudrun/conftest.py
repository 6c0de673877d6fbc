"""The target against the rig's Cloud Run; nothing runs, the image's name decides how it starts.

What is about the calls themselves (errors, masks, etags, retries, credentials) goes over gRPC and over REST: those
tests are `over_both`. The others are about what comes above them: `make test` takes one transport for each, by the
seed, and `make sweep` both.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from shipper.errors import Conflict
from shipper.model import (
    ImageRef,
    Observation,
    Progress,
    Release,
    Revision,
    Settings,
    Stamp,
    TargetSettings,
    fingerprint_of,
    new_release_id,
)
from shipper.model.context import Cancellation, VersionsOf
from shipper.model.secret import Secret
from shipper.targets import Retired, TargetContext
from shipper_targets.cloudrun import kind, readiness
from shipper_targets.cloudrun.adapter import CloudRunTarget
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.settings import CloudRunSettings
from tests.conftest import SEED, SWEEP
from tests.rig.google.cloudrun import scripted
from tests.rig.google.server import Google, running

Result = TypeVar("Result")

REGION = "europe-west1"
STEP = 0.05
TRANSPORTS = ("grpc", "rest")
_COUNT = itertools.count(1)

over_both = pytest.mark.parametrize("place", TRANSPORTS, indirect=True)
"""For a test that shows something about the calls themselves."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that has a place and is not `over_both` has one transport, or both in the sweep."""
    chosen = [marker.args[0] for marker in metafunc.definition.iter_markers("parametrize")]
    if "place" in metafunc.fixturenames and "place" not in chosen:
        one = random.Random(f"{SEED} {metafunc.definition.nodeid}").choice(TRANSPORTS)
        metafunc.parametrize("place", TRANSPORTS if SWEEP else (one,), indirect=True)


class NoSecrets:
    """All secrets are the platform's own."""

    def run(self) -> tuple[Secret, ...]:
        return ()

    def build(self) -> tuple[Secret, ...]:
        return ()

    def trial(self) -> tuple[Secret, ...]:
        return ()

    def trial_versions(self) -> dict[str, str]:
        return {}

    def pinned(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        return dict(versions_of(references))

    def versions(self, key: bytes | None = None) -> dict[str, str]:
        return {}


class Told:
    """A reporter that keeps its remarks."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def progress(self, *_: Any, **__: Any) -> None: ...
    def log(self, *_: Any, **__: Any) -> None: ...
    def evidence(self, *_: Any) -> None: ...
    def emit(self, *_: Any) -> None: ...


@dataclass
class Place:
    """One service in a project of its own. Each `target()` is connected anew, as another process would."""

    google: Google
    transport: str
    project: str
    own: dict[str, Any] = field(default_factory=dict)
    cancel: Cancellation | None = None
    told: Told = field(default_factory=Told)
    epoch: int = 1

    @property
    def place(self) -> dict[str, Any]:
        reach = {"endpoint": self.google.url, "transport": self.transport, "credentials": "none"}
        return {"project": self.project, "region": REGION, **reach, **self.own}

    def settings(self, **sections: Any) -> Settings:
        return Settings.model_validate(
            {"service": {"service": "shop", "environment": "dev", "root": "/srv/shop"}, **sections}
        )

    def target(self, **sections: Any) -> CloudRunTarget:
        context = TargetContext(
            name="run",
            settings=self.settings(**sections),
            own=self.place,
            secrets=NoSecrets(),
            report=self.told,
            cancel=self.cancel,
        )
        target = kind.connect(context)
        assert isinstance(target, CloudRunTarget)
        return target

    def release(self, number: int, how: str = "good", secrets: Mapping[str, str] | None = None, **run: Any) -> Release:
        """`how` is what the scripted instances make of it: good, crash, missing, denied, slow."""
        digest = "sha256:" + f"{number:064x}"
        settings = self.settings(**run)
        images = {
            "main": ImageRef(
                config_digest=digest,
                manifest_digest=digest,
                reference=f"{REGION}-docker.pkg.dev/{self.project}/images/{how}@{digest}",
                platform="linux/amd64",
            )
        }
        return Release(
            id=new_release_id(),
            number=number,
            fingerprint=fingerprint_of(images, settings, dict(secrets or {})),
            images=images,
            settings=settings,
            target="run",
            place=TargetSettings(name="run", kind="cloudrun", settings=self.place),
            secret_versions=dict(secrets or {}),
            ledger="file:///ledger",
            created=time.time(),
        )

    def stamp(self, now: Observation, **changes: Any) -> Stamp:
        return now.stamp.model_copy(update={"epoch": self.epoch, "highest": now.highest, **changes})

    def write(self, call: Callable[[CloudRunTarget, Observation], Result]) -> Result:
        """As a rollout does it: on a conflict it observes again. The platform itself changes the etag as it goes on."""
        for _ in range(50):
            target = self.target()
            now = target.observe()
            try:
                return call(target, now)
            except Conflict as error:
                if "epoch" in str(error):
                    raise
                time.sleep(STEP)
        raise AssertionError("there is no end of conflicts")

    def create(self, release: Release) -> Revision:
        return self.write(lambda target, now: target.create(release, self.stamp(now), now.seen))

    def created(self, release: Release) -> Revision:
        """And ready."""
        revision = self.create(release)
        assert self.last_step(revision).state == "ready"
        return revision

    def shift(self, weights: Mapping[str, int]) -> None:
        self.write(lambda target, now: target.shift(weights, self.stamp(now), now.seen))

    def verified(self, *numbers: int) -> None:
        self.write(lambda target, now: target.write_stamp(self.stamp(now, verified=numbers), now.seen))

    def retire(self, number: int, to: Retired = "removed") -> None:
        def call(target: CloudRunTarget, now: Observation) -> None:
            wanted = [one for one in now.revisions if one.number == number]
            target.retire(wanted, to, self.stamp(now), now.seen)

        self.write(call)

    def settled(self) -> None:
        """Until the platform has done what it was asked to: its own writes are no conflicts any more."""
        self.until(lambda: not self.service().reconciling)

    def released(self, number: int, **sections: Any) -> Revision:
        """Created, ready, all of the traffic, verified."""
        revision = self.created(self.release(number, **sections))
        self.shift({revision.name: 100})
        self.verified(number)
        return revision

    def last_step(self, revision: Revision) -> Progress:
        return list(self.target().progress(revision))[-1]

    def until(self, true: Callable[[], bool]) -> None:
        """The platform gets there in its own time."""
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline, f"still {self.serves()}"
            time.sleep(0.02)

    def serves(self) -> dict[str, int]:
        return {one.name: one.weight for one in self.target().observe().serving}

    def names(self) -> list[str]:
        return [one.name for one in self.target().revisions()]

    @property
    def resource(self) -> str:
        return names_of(self.settings(), CloudRunSettings.model_validate(self.place)).service

    def service(self) -> Any:
        """As the platform has it."""
        return self.google.state.get_service(self.resource)

    def writes(self) -> list[dict[str, Any]]:
        return self.google.hands.writes(self.project)


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with running(tmp_path_factory.mktemp("google"), step=STEP, make=scripted.make) as found:
        yield found


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts here that would take time: how often it is looked at counts for nothing."""
    monkeypatch.setattr(readiness, "POLL", STEP)


@pytest.fixture
def place(google: Google, request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(google, request.param, f"p{next(_COUNT)}-{request.param}")
    yield made
    google.state.wipe(made.project)
