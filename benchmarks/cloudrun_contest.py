"""The contestants of benchmarks/cloudrun.py: shipper and gcloud in one project of the rig's Google Cloud."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.platform_time import PlatformTime, Span, covered
from benchmarks.release import BenchmarkError
from tests.e2e.machine import own_home
from tests.rig.api import Rig
from tests.rig.google.cloudrun import v1_gcloud
from tests.rig.google.cloudrun.v1_gcloud import Gcloud
from tests.rig.google.handle import GoogleRig
from tests.rig.google.identity import Identity
from tests.rig.stores import RunningStore
from tools.venvs import ROOT, installed

REGION = "us-central1"
OURS, THEIRS = "iris-dev", "by-hand"
STEP = 0.3
"""Seconds that the rig takes for a write (`--step` of tests.rig.google)."""


@dataclass(frozen=True)
class Took:
    """A command that has ended well: seconds, and what it said."""

    wall: float
    cpu: float
    own: float | None
    said: str = field(repr=False)
    errors: str = field(repr=False)

    @property
    def last(self) -> dict[str, Any]:
        """The last line of `--json`."""
        found: dict[str, Any] = json.loads(self.said.strip().splitlines()[-1])
        return found


@dataclass
class Contest:
    """One project on the rig, with a service of each."""

    folder: Path
    rig: Rig
    store: RunningStore
    shipper: Path
    project: str
    key: Path
    ledger: str
    runs: int = 0

    @property
    def hands(self) -> GoogleRig:
        """The rig, as whoever plays with it."""
        return GoogleRig(self.rig.google.endpoint)

    def release(self, *words: str, **changes: str) -> Took:
        """`shipper release` of the example, with these values in its environment."""
        write_settings(self, changes)
        command = [str(self.shipper), "release", "-C", str(self.folder / "iris"), "-t", "cloudrun", "--json", *words]
        return timed(command, self.env(self.folder / "home"), self.folder)

    def rollback(self, number: int, *, ledger: bool, python: Sequence[str] = ()) -> Took:
        """`shipper rollback` to a release, from an empty directory of somebody who was never here."""
        self.runs += 1
        (empty := self.folder / f"home-{self.runs}" / "empty").mkdir(parents=True)
        record = self.ledger if ledger else (empty.parent / "ledger").as_uri()
        words = ["rollback", "--service", "iris", "--to", f"#{number}", "--ledger", record, "--json", "-t"]
        with PlatformTime(self.rig.google.endpoint) as platform, PlatformTime(self.store.endpoint) as store:
            place = f"cloudrun://{self.project}/{REGION}?endpoint={platform.address}"
            env = {**self.env(empty.parent), **self.store.through(store.address).environ}
            took = timed([*python, str(self.shipper), *words, place], env, empty)
            if not took.last["serves"]["changed"]:
                raise BenchmarkError(f"shipper rollback: {took.last['message']}")
            busy = covered([*platform.spans, *store.spans, *settling(took)])
        return replace(took, own=took.wall - busy)

    def env(self, home: Path) -> dict[str, str]:
        """What a user of Google Cloud has in the environment."""
        google = {**self.rig.google.env, "GOOGLE_APPLICATION_CREDENTIALS": str(self.key)}
        return {**os.environ, **self.rig.env(), **own_home(home), **google, **self.store.environ}

    def theirs(self, *words: str) -> Took:
        """`gcloud run WORDS`."""
        return timed(["gcloud", "run", *words], self.gcloud.env, self.folder)

    @property
    def gcloud(self) -> Gcloud:
        """gcloud, to look with."""
        port = urlsplit(self.rig.google.endpoint).port
        assert port is not None
        return Gcloud(v1_gcloud.environment(port, self.folder / "gcloud", self.project, REGION))


def prepare(folder: Path, rig: Rig, store: RunningStore) -> Contest:
    """The example, and a key for a new project."""
    shutil.copytree(ROOT / "examples" / "iris", folder / "iris", ignore=shutil.ignore_patterns("__pycache__", ".train"))
    project = f"bench-{os.getpid()}"
    identity = Identity(rig.google.folder / "identity")
    key = identity.key_file(folder / "key.json", f"ci@{project}.iam.gserviceaccount.com")
    return Contest(folder, rig, store, installed() / "shipper", project, key, store.url)


def write_settings(contest: Contest, variables: Mapping[str, str]) -> None:
    """The example's own shipper.toml, with the place and the variables."""
    text = (ROOT / "examples" / "iris" / "shipper.toml").read_text()
    repository = f"{REGION}-docker.pkg.dev/{contest.project}/bench/iris"
    image = f'[image]\nrepository = "{repository}"\ncreate_repository = true\n'
    place = {"kind": "cloudrun", "project": contest.project, "region": REGION, "access": "public"}
    place |= {"endpoint": contest.rig.google.endpoint}
    more = "".join(f"{name} = {json.dumps(value)}\n" for name, value in place.items())
    more = f"\n[targets.cloudrun]\n{more}\n[ledger]\nurl = {json.dumps(contest.ledger)}\n\n[run.env]\n"
    more += "".join(f"{name} = {json.dumps(value)}\n" for name, value in variables.items())
    (contest.folder / "iris" / "shipper.toml").write_text(text.replace("[image]\n", image) + more)


def build(contest: Contest, name: str) -> str:
    """Release the example with one line changed; its image's reference."""
    code = contest.folder / "iris" / "app" / "main.py"
    code.write_text(re.sub(r'^VERSION = ".*"$', f'VERSION = "{name} {time.time():.0f}"', code.read_text(), flags=re.M))
    took = contest.release()
    print(f"built and released {name}: {took.wall:.2f} s", flush=True)
    return str(took.last["serves"]["image"])


def set_up_theirs(contest: Contest, images: Sequence[str]) -> None:
    """gcloud's service, with what ours has: probe, limits, concurrency. One revision of each image."""
    template = contest.gcloud.json("services", "describe", OURS)["spec"]["template"]["spec"]
    container = template["containers"][0]
    probe = container["startupProbe"]
    times = ("periodSeconds", "timeoutSeconds", "failureThreshold")
    words = [f"httpGet.path={probe['httpGet']['path']}", f"httpGet.port={probe['httpGet']['port']}"]
    words += [f"{name}={probe[name]}" for name in times]
    limits = container["resources"]["limits"]
    same = ["--port", str(container["ports"][0]["containerPort"]), "--startup-probe", ",".join(words)]
    same += ["--cpu", limits["cpu"], "--memory", limits["memory"], "--no-invoker-iam-check"]
    same += ["--concurrency", str(template["containerConcurrency"])]
    contest.theirs("deploy", THEIRS, "--image", images[0], *same)
    contest.theirs("deploy", THEIRS, "--image", images[1])


def settling(took: Took) -> list[Span]:
    """When the platform was at work on the write of traffic, on the clock of PlatformTime."""
    events = (json.loads(line) for line in took.said.splitlines())
    shift = next(event["at"] for event in events if str(event.get("text")).startswith("shifting traffic"))
    start = shift - time.time() + time.perf_counter()
    return [(start, start + STEP)]


def timed(words: Sequence[str], env: Mapping[str, str], folder: Path) -> Took:
    """Run to the end, from that folder. BenchmarkError with its last lines when it fails.

    Processor time: user and system, of the process and of all that it has waited for (getrusage(2)).
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(words, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        ended = time.perf_counter()
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        said, errors = out.read(), err.read()
    if process.returncode != 0:
        last = "\n".join((errors or said).strip().splitlines()[-8:])
        raise BenchmarkError(f"{Path(words[0]).name} {words[1]} ended with {process.returncode}:\n{last}")
    return Took(ended - started, used.ru_utime + used.ru_stime, None, said, errors)
