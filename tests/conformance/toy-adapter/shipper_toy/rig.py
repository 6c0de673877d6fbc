"""The toy's rig for the conformance suite, and the suite played on it: python -m shipper_toy.rig [RESULTS.json]

This is all that an adapter's author writes for it. The platform is started once, in a directory of its own; a place
is a service on it that nobody else uses.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shipper.model import ImageRef, Settings, Stamp, TargetSettings, Traits
from shipper.model.context import Secrets
from shipper.model.release import new_release_id
from shipper.model.settings import HealthSettings, ServiceSettings
from shipper.targets import Target, TargetContext
from shipper.targets.conformance import (
    Answer,
    Ended,
    ImageKind,
    Kill,
    Run,
    Values,
    powers_of,
    run_in_child,
    scenarios_for,
    table,
)
from shipper_toy import kind
from shipper_toy.files import Files, load, write


@dataclass(frozen=True)
class ToyPlace:
    """One service in the platform's directory."""

    root: Path
    service: str

    @property
    def chosen(self) -> TargetSettings:
        """As in shipper.toml."""
        return TargetSettings(name="toy", kind="toy", settings={"root": str(self.root)})

    @property
    def files(self) -> Files:
        """What is on the platform for it."""
        return Files(self.root, self.service, "test")

    def settings(self) -> Settings:
        """Ready at once or never."""
        return Settings(
            service=ServiceSettings(service=self.service, environment="test", root="/"),
            health=HealthSettings(startup=1.0, timeout=2.0),
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        """Connected as shipper does it."""
        return kind.connect(TargetContext(name="toy", settings=settings, own=self.chosen.settings, secrets=secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        """Labels in a file; a missing image has none."""
        digest = "sha256:" + hashlib.sha256(f"{kind} {text}".encode()).hexdigest()
        if kind != "missing":
            write(self.files.image(digest), {"toy.kind": kind, "toy.answers": text})
        return ImageRef(config_digest=digest, reference=f"toy:{digest[7:19]}", platform="linux/amd64")

    def ask(self, path: str = "/") -> Answer:
        """Over HTTP, as a user does."""
        connection = http.client.HTTPConnection("127.0.0.1", int((self.root / "port").read_text()), timeout=10)
        connection.request("GET", path, headers={"Host": f"{self.service}.test.localhost"})
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.getheader("x-shipper-revision"))

    def run(self, run: Run, kill: Kill) -> Ended:
        """A run that is to be killed has a process of its own."""
        return run_in_child(self, run, kill)

    def lose_stamp(self) -> None:
        """Somebody edits the state."""
        with self.files.locked():
            state = self.files.state()
            self.files.write_state({**state, "version": state["version"] + 1, "stamp": Stamp().model_dump()})

    def lose_revision(self, name: str) -> None:
        """Somebody deletes a file."""
        with self.files.locked():
            state = self.files.state()
            self.files.revision(name).unlink()
            self.files.write_state({**state, "version": state["version"] + 1})

    def lose_image(self, image: ImageRef) -> None:
        """Somebody deletes another one."""
        self.files.image(image.config_digest).unlink()

    def leaks(self) -> Sequence[str]:
        """Secret values that no record names; without a revision, everything."""
        with self.files.locked():
            records = [held["record"]["value"] for held in self.files.revisions().values()]
            names = {f"{name}.{version}" for record in records for name, version in record["secret_versions"].items()}
            files = [path for path in self.files.home.rglob("*") if path.is_file()]
            own = {"state.json"} if load(self.files.home / "state.json") else set()
            return [f.name for f in files if f.parent.name != "revisions" and f.name not in names | own]

    def close(self) -> None:
        """Whatever is left of the service."""
        shutil.rmtree(self.files.home, ignore_errors=True)


@dataclass(frozen=True)
class ToyRig:
    """Places on one running platform."""

    root: Path
    kind: str = "toy"

    @property
    def traits(self) -> Traits:
        """The adapter's."""
        return kind.traits

    @property
    def powers(self) -> frozenset[type]:
        """Asked of a place that is never used."""
        place = self.fresh()
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> ToyPlace:
        """A service of its own."""
        return ToyPlace(self.root, service or f"svc-{new_release_id()[-8:].lower()}")


@contextmanager
def platform() -> Iterator[ToyRig]:
    """The platform's server, while the block runs."""
    with tempfile.TemporaryDirectory() as root:
        words = [sys.executable, "-m", "shipper_toy.server", root]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()  # it says where it answers
            try:
                yield ToyRig(Path(root))
            finally:
                server.terminate()


def main(results_file: str = "") -> int:
    """Play what fits and print the table; 1 when something failed."""
    with platform() as rig:
        chosen, skipped = scenarios_for(rig.traits, rig.powers)
        results = {one.scenario.name: one.reason for one in skipped}
        for scenario in chosen:
            try:
                scenario.play(rig)
                results[scenario.name] = "passed"
            except AssertionError as error:
                results[scenario.name] = "FAILED"
                print(f"{scenario.name}: {scenario.told}\n  {error}", flush=True)
    print(table({rig.kind: results}))
    if results_file:
        Path(results_file).write_text(json.dumps(results))
    return 1 if "FAILED" in results.values() else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
