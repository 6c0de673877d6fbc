"""Cloud Run: `shipper release` and `shipper rollback` beside gcloud, in turn, on the rig's Google Cloud.

    .venv/bin/python benchmarks/cloudrun.py [DEPLOYS [ROLLBACKS]]        0 deploys: rollbacks only

Both work on the same two images of examples/iris in one project, each on a service of its own with the same probe,
limits and concurrency. What is compared:

* deploy: `gcloud run deploy --image REF` writes the service and waits. `shipper release --config-only` takes the image
  that serves with another configuration, asks the new revision before it gets traffic, and writes everything down.
  `shipper release --image REF` also pulls, scans and tries the image out, and makes an SBOM.
* rollback: `gcloud run services update-traffic --to-revisions OLD=100`, by somebody who knows OLD. `shipper rollback`
  in an empty directory of a new home, by the service's name and the place's address: with the ledger, and without.

For each: wall time, and processor time of its processes. For our rollbacks also "own": the wall time in which neither
the platform nor the ledger's store had a question to answer (platform_time.py), nor the platform was at work on the
write of traffic, for which the rig is set to 0.3 s. What the token server and the service answer counts as own, and so
does what shipper waits longer than that between two questions. gcloud has no credentials to look for.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cloudrun_contest import THEIRS, Contest, Took, build, prepare, set_up_theirs
from benchmarks.imports import imported
from benchmarks.release import BenchmarkError
from benchmarks.report import keep, table
from tests.rig import stores
from tests.rig.api import GOOGLE, ensure
from tests.rig.google.cloudrun import v1_gcloud

GCLOUD = "gcloud"


def main(deploys: int, rollbacks: int) -> int:
    """Print the ratios. 1 when a contestant failed."""
    rig = ensure(GOOGLE)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shipper-bench")))
        contest = prepare(folder, rig, stack.enter_context(stores.gcs()))
        stack.callback(contest.hands.wipe, contest.project)
        try:
            images = [build(contest, name) for name in ("one", "two")]
            if v1_gcloud.is_installed():
                set_up_theirs(contest, images)
            deployed = compete(deploy_turns(contest, images), deploys, "deploy") if deploys else {}
            turned = compete(rollback_turns(contest), rollbacks, "rollback")
            calls, report = one_more(contest)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
    for what, taken in (("deploy", deployed), ("rollback", turned)):
        if taken:
            show(what, taken)
    print(f"\nasked of the platform in a rollback without the ledger: {calls}\n{report}")
    every = {name: [{"wall": run.wall, "cpu": run.cpu, "own": run.own} for run in runs] for name, runs in
             (*deployed.items(), *turned.items())}  # fmt: skip
    print(keep("cloudrun", {"deploys": deploys, "rollbacks": rollbacks, "calls": calls, "runs": every}).name)
    return 0


Turns = Mapping[str, Callable[[int], Took]]


def deploy_turns(contest: Contest, images: Sequence[str]) -> Turns:
    """The ways to deploy; each is given the round's number. Every round is a change for everyone."""
    ours = {
        "release --config-only": lambda number: contest.release("--config-only", ROUND=f"{number}b"),
        "release --image": lambda number: contest.release("--image", images[number % 2], ROUND=f"{number}a"),
    }
    if not v1_gcloud.is_installed():
        return ours
    return {GCLOUD: lambda number: contest.theirs("deploy", THEIRS, "--image", images[number % 2]), **ours}


def rollback_turns(contest: Contest) -> Turns:
    """The ways back: to and fro between two releases that were verified, and two revisions."""
    ends = [contest.release("--config-only", ROUND=name).last["serves"]["number"] for name in ("x", "y")]
    ours = {
        "with the ledger": lambda number: contest.rollback(ends[0], ledger=True),
        "without": lambda number: contest.rollback(ends[1], ledger=False),
    }
    if not v1_gcloud.is_installed():
        return ours
    listed = contest.gcloud.json("revisions", "list", "--service", THEIRS)
    names = [one["metadata"]["name"] for one in listed[:2]]

    def theirs(number: int) -> Took:
        return contest.theirs("services", "update-traffic", THEIRS, "--to-revisions", f"{names[(number + 1) % 2]}=100")

    return {GCLOUD: theirs, **ours}


def compete(turns: Turns, rounds: int, what: str) -> dict[str, list[Took]]:
    """Every way in turn, so that load on the machine meets all; the first round does not count."""
    taken: dict[str, list[Took]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, turn in turns.items():
            took = turn(number)
            times = f"{took.wall:5.2f} s wall {took.cpu:5.2f} s cpu {seconds(took.own)} own"
            load = f"load {os.getloadavg()[0]:.1f}"
            print(f"{what} {number}  {name:22} {times}  {load}{'  (warm-up)' if not number else ''}", flush=True)
            if number:
                taken[name].append(took)
    return taken


def one_more(contest: Contest) -> tuple[str, str]:
    """One more rollback, to look at: what it asks, and what it imports."""
    numbers = [contest.release("--config-only", ROUND=name).last["serves"]["number"] for name in ("v", "w")]
    before = contest.hands.calls(contest.project)
    contest.rollback(numbers[0], ledger=False)
    after = contest.hands.calls(contest.project)
    asked = {name: count - before.get(name, 0) for name, count in after.items()}
    python = [str(contest.shipper.parent / "python"), "-X", "importtime"]
    packages = imported(contest.rollback(numbers[1], ledger=False, python=python).errors)
    rows = [
        [one.package, f"{one.own:.0f} ms", "-" if one.pulled is None else f"{one.pulled:.0f} ms"]
        for one in packages[:12]
    ]
    total = sum(one.own for one in packages)
    head = ["imports of a rollback", "own modules", "with what it pulled in"]
    said = ", ".join(f"{count} {name}" for name, count in asked.items() if count)
    return said, f"\n{table(head, rows)}\n{len(packages)} packages, {total:.0f} ms in all (-X importtime adds to it)"


def show(what: str, taken: Mapping[str, Sequence[Took]]) -> None:
    """Medians of every way, and ratios to gcloud's."""
    rows = []
    for name, runs in taken.items():
        wall, cpu = (statistics.median(getattr(run, kind) for run in runs) for kind in ("wall", "cpu"))
        own = [run.own for run in runs if run.own is not None]
        rows.append([name, seconds(wall), seconds(cpu), seconds(statistics.median(own) if own else None)])
        rows[-1].append(
            f"{wall / statistics.median(run.wall for run in taken[GCLOUD]):.2f}" if GCLOUD in taken else "-"
        )
    counted = len(next(iter(taken.values())))
    print("\n" + table([f"{what}, median of {counted}", "wall", "processor", "own", "wall to gcloud's"], rows))


def seconds(value: float | None) -> str:
    """For a cell."""
    return "-" if value is None else f"{value:.2f} s"


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*[*counts, *(5, 9)[len(counts) :]]))
