"""`shipper release` against by_hand.sh, on the same change of one line, in turn.

    python3 benchmarks/release.py [ROUNDS]

Both work on examples/iris with a registry, after a warm-up that does not count. Each gets a line of its own
(so that neither finds the other's layers in the build cache), and who is first changes from round to round.
shipper's stages overlap, so its stages add up to more than its total; the totals are wall time around the command.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import keep, table
from tests.e2e.machine import own_home
from tests.rig.api import DOCKER, Rig, ensure
from tools.venvs import ROOT, installed

NAME = "shipper-bench"
SERIES = f"{time.time():.0f}"
"""In the changed line, so that no run finds what an earlier one left in the caches of builder and scanner."""
# What is compared with what: by hand's steps, our stages. What stands in neither has a row of its own.
ROWS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "build": (("build",), ("build",)),
    "scan": (("scan",), ("scan",)),
    "smoke": (("smoke",), ("smoke",)),
    "push": (("push",), ("publish",)),
    "rollout": (("run", "ready", "reload", "verify", "remove"), ("rollout",)),
    "only ours": ((), ("preflight", "source", "lint", "scan_source", "sbom", "size", "gate", "seal")),
}


class BenchmarkError(Exception):
    """A contestant failed; a ratio without it would mean nothing."""


@dataclass(frozen=True)
class Run:
    """One release: wall seconds around the command, and what it says about its parts."""

    total: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Contest:
    """Two copies of the example, the rig, and the installed command."""

    folder: Path
    rig: Rig
    shipper: Path
    ports: tuple[int, int]

    def by_hand(self, version: str) -> Run:
        """One release by the script."""
        project = self.change("by-hand", version)
        said, seconds = timed([str(ROOT / "benchmarks" / "by_hand.sh"), "release", str(project), version], self.env())
        steps = json.loads(said.strip().splitlines()[-1])
        return Run(seconds, {name: value / 1000 for name, value in steps.items() if name != "total"})

    def ours(self, version: str) -> Run:
        """One `shipper release`, its parts taken from its own events."""
        project = self.change("shipper", version)
        said, seconds = timed([str(self.shipper), "release", "-C", str(project), "--json"], self.env())
        events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        last = [event for event in events if event.get("event") == "run-finished"]
        if not last or last[0]["code"] != 0:
            raise BenchmarkError(f"shipper release: {last[0]['message'] if last else 'no result'}")
        finished = (event for event in events if event.get("event") == "stage-finished")
        return Run(seconds, {event["stage"].replace("-", "_"): event["seconds"] for event in finished})

    def change(self, who: str, version: str) -> Path:
        """Change one line of that contestant's copy."""
        project = self.folder / who
        code = project / "app" / "main.py"
        text = f'VERSION = "{who} {version} {SERIES}"'
        code.write_text(re.sub(r'^VERSION = ".*"$', text, code.read_text(), flags=re.M))
        return project

    def env(self) -> dict[str, str]:
        """For both: the rig's scanner and database, a port each, and a home that knows of no earlier benchmark."""
        script = {"NAME": f"{NAME}-by-hand", "IMAGE": f"{self.rig.registry}/{NAME}/by-hand", "PORT": str(self.ports[0])}
        scanner = {"TRIVY": str(self.rig.trivy), "TRIVY_CACHE": str(self.rig.trivy_cache)}
        return {**os.environ, **self.rig.env(), **script, **scanner, **own_home(self.folder / "home")}


def main(rounds: int) -> int:
    """Print the ratios. 1 when a contestant failed."""
    rig = ensure(DOCKER)
    with tempfile.TemporaryDirectory(prefix=NAME) as folder:
        contest = prepare(Path(folder), rig)
        try:
            hand, ours = compete(contest, rounds)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            clean(contest)
    show(hand, ours)
    return 0


def prepare(folder: Path, rig: Rig) -> Contest:
    """Both copies, and the script's proxy; shipper makes its own at its first release."""
    ports = free_port(), free_port()
    for who in ("by-hand", "shipper"):
        shutil.copytree(ROOT / "examples" / "iris", folder / who, ignore=shutil.ignore_patterns("__pycache__"))
    settings = folder / "shipper" / "shipper.toml"
    text = settings.read_text().replace("[image]\n", f'[image]\nrepository = "{rig.registry}/{NAME}/shipper"\n')
    settings.write_text(f'{text}port = {ports[1]}\nnamespace = "{NAME}"\n')
    contest = Contest(folder, rig, installed() / "shipper", ports)
    timed([str(ROOT / "benchmarks" / "by_hand.sh"), "setup"], contest.env())
    return contest


def compete(contest: Contest, rounds: int) -> tuple[list[Run], list[Run]]:
    """The runs of both, without the warm-up."""
    hand: list[Run] = []
    ours: list[Run] = []
    for number in range(rounds + 1):
        turns = [(contest.by_hand, hand), (contest.ours, ours)]
        for release, runs in turns if number % 2 else reversed(turns):
            run = release(f"{number}")
            name = "by hand" if runs is hand else "shipper"
            print(f"round {number}  {name}  {run.total:5.2f} s{'  (warm-up)' if not number else ''}", flush=True)
            if number:
                runs.append(run)
    return hand, ours


def show(hand: Sequence[Run], ours: Sequence[Run]) -> None:
    """The table, and the numbers kept."""
    rows = [[name, *ratio(median(hand, theirs), median(ours, own))] for name, (theirs, own) in ROWS.items()]
    totals = statistics.median(run.total for run in hand), statistics.median(run.total for run in ours)
    rows.append(["total", *ratio(*totals)])
    print("\n" + table([f"median of {len(hand)}", "by hand", "shipper", "ratio"], rows))
    every = {
        name: [{"total": run.total, **run.parts} for run in runs] for name, runs in (("hand", hand), ("shipper", ours))
    }
    kept = keep("release", {"rounds": len(hand), "ratio": totals[1] / totals[0], "seconds": every})
    print(f"stages of shipper overlap and add up to more than its total; {kept.name}")


def median(runs: Sequence[Run], parts: Sequence[str]) -> float:
    """The median over the runs of the sum of these parts, in seconds."""
    return statistics.median(sum(run.parts.get(part, 0.0) for part in parts) for run in runs)


def ratio(theirs: float, own: float) -> list[str]:
    """Three cells: theirs, ours, ours over theirs."""
    return [f"{theirs:.2f} s" if theirs else "-", f"{own:.2f} s", f"{own / theirs:.2f}" if theirs else "-"]


def timed(words: list[str], env: Mapping[str, str]) -> tuple[str, float]:
    """The standard output of a command and its wall seconds. BenchmarkError with its last lines when it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        words, env=env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise BenchmarkError(f"{Path(words[0]).name} {words[1]} ended with {done.returncode}:\n{last}")
    return done.stdout, seconds


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean(contest: Contest) -> None:
    """Remove the containers, networks and volumes of both; their names say whose they are."""
    subprocess.run([ROOT / "benchmarks" / "by_hand.sh", "down"], env=contest.env(), check=False, capture_output=True)
    for kind, listing in (
        ("container", ("ps", "-aq")),
        ("network", ("network", "ls", "-q")),
        ("volume", ("volume", "ls", "-q")),
    ):
        words = ["docker", *listing, "--filter", f"name={NAME}"]
        found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
        if found:
            force = ["--force"] if kind != "network" else []
            subprocess.run(["docker", kind, "rm", *force, *found], check=False, capture_output=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
