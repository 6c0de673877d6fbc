"""Kubernetes: `shipper release` and `shipper rollback` beside kubectl and Helm 3, in turn, on the rig's cluster.

    .venv/bin/python benchmarks/kubernetes_peers.py [DEPLOYS [ROLLBACKS [FAILURES]]]      0: leave that part out

All work on the same two images of examples/iris in one namespace, each on a Deployment of its own with the same pod,
probes, strategy and patience (kubectl's and Helm's are made of what shipper applied). What is compared:

* deploy: `kubectl apply && kubectl rollout status` and `helm upgrade --install --wait --atomic`, which write and wait.
  `shipper release --config-only` takes the image that serves with another configuration, rehearses every object, asks
  the new pods, and keeps lease, record and ledger. `shipper release --image REF` also pulls, scans and tries the image.
* rollback: `kubectl rollout undo && kubectl rollout status` and `helm rollback --wait`, by somebody who wants the one
  before. `shipper rollback` in an empty directory of a new home, by the place's address: with the ledger, and without.
* a deploy that cannot succeed (a crash at start; an image that is not there): seconds until that is told, and what is
  told. kubectl and Helm are asked to wait 60 s at most.

For each: wall time, processor time of its processes, and "own": the wall time in which no rollout of its Deployment was
under way, as a watch sees it from the first new generation to the last new pod (kubernetes_rollouts.py). The API
server's answers, the token, registry, store and the service's own answers count as own.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.kubernetes_contest import LIMIT, Contest, Took, build, prepare, write_chart
from benchmarks.kubernetes_rollouts import RolloutTime
from benchmarks.release import BenchmarkError
from benchmarks.report import keep, table
from tests.rig import stores
from tests.rig.api import KUBERNETES, RigError, ensure
from tests.rig.helm import build as helm
from tests.rig.kubernetes.handle import KubeRig, kube_rig
from tests.rig.machine import survey

KUBECTL, HELM = "kubectl", "helm"
CRASH = ("python", "-c", "raise SystemExit('the model is not there')")
Turns = Mapping[str, Callable[[int], Took]]
Taken = Mapping[str, Sequence[Took]]


def main(deploys: int, rollbacks: int, failures: int) -> int:
    """Print the ratios. 1 when a contestant failed."""
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shipper-bench")))
        try:
            program = helm.make(survey())
            rig = ensure(KUBERNETES)
            hands = stack.enter_context(kube_rig(folder))
            watching = partial(_watched, stack, hands)
            contest = prepare(folder, rig, hands, stack.enter_context(stores.gcs()), watching, program)
            stack.callback(hands.drop, contest.namespace)
            parts = contested(contest, deploys, rollbacks, failures)
        except (BenchmarkError, RigError) as error:
            print(error, file=sys.stderr)
            return 1
    for what, taken in parts.items():
        show(what, taken)
    every = {
        f"{what}: {name}": [{"wall": run.wall, "cpu": run.cpu, "own": run.own, "told": run.told} for run in runs]
        for what, taken in parts.items()
        for name, runs in taken.items()
    }
    print(keep("kubernetes", {"deploys": deploys, "rollbacks": rollbacks, "limit": LIMIT, "runs": every}).name)
    return 0


def _watched(stack: ExitStack, hands: KubeRig, namespace: str) -> RolloutTime:
    return stack.enter_context(RolloutTime(hands, namespace))


def contested(contest: Contest, deploys: int, rollbacks: int, failures: int) -> Mapping[str, Taken]:
    """Every part that is asked for."""
    images = [build(contest, name) for name in ("one", "two")]
    write_chart(contest, images[0])
    for number in range(2):
        contest.apply(images[number], f"start {number}")
        contest.upgrade(images[number], f"start {number}")
    parts: dict[str, Taken] = {}
    if deploys:
        parts["deploy"] = compete(deploy_turns(contest, images), deploys, "deploy")
    if rollbacks:
        parts["rollback"] = compete(rollback_turns(contest), rollbacks, "rollback")
    if failures:
        for what, turns in failing_turns(contest, images).items():
            parts[what] = compete(turns, failures, what, warm_up=0)
    return parts


def deploy_turns(contest: Contest, images: Sequence[str]) -> Turns:
    """The ways to deploy; each is given the round's number. Every round is a change for everyone."""
    return {
        KUBECTL: lambda number: contest.apply(images[number % 2], f"{number}"),
        HELM: lambda number: contest.upgrade(images[number % 2], f"{number}"),
        "release --config-only": lambda number: contest.release("--config-only", ROUND=f"{number}b"),
        "release --image": lambda number: contest.release("--image", images[number % 2], ROUND=f"{number}a"),
    }


def rollback_turns(contest: Contest) -> Turns:
    """The ways back: to and fro between two releases that were verified, and two revisions."""
    ends = [contest.release("--config-only", ROUND=name).last["serves"]["number"] for name in ("x", "y")]
    return {
        KUBECTL: lambda number: contest.undo(),
        HELM: lambda number: contest.helm_back(),
        "with the ledger": lambda number: contest.rollback(ends[0], ledger=True),
        "without": lambda number: contest.rollback(ends[1], ledger=False),
    }


def failing_turns(contest: Contest, images: Sequence[str]) -> Mapping[str, Turns]:
    """Deploys that cannot succeed. After kubectl's, what served is brought back, which is not measured."""

    def undone(took: Took) -> Took:
        contest.undo()
        return took

    missing = f"{contest.repository}:not-there"
    return {
        "crash at start": {
            KUBECTL: lambda number: undone(contest.apply(images[0], f"crash {number}", CRASH, ends=1)),
            HELM: lambda number: contest.upgrade(images[0], f"crash {number}", CRASH, ends=1),
            "release --config-only": lambda number: contest.release(
                "--config-only", run={"command": list(CRASH)}, ends=1, ROUND=f"crash {number}"
            ),
        },
        "missing image": {
            KUBECTL: lambda number: undone(contest.apply(missing, f"missing {number}", ends=1)),
            HELM: lambda number: contest.upgrade(missing, f"missing {number}", ends=1),
            "release --image": lambda number: contest.release("--image", missing, ends=1, ROUND=f"missing {number}"),
        },
    }


def compete(turns: Turns, rounds: int, what: str, warm_up: int = 1) -> dict[str, list[Took]]:
    """Every way in turn, so that load on the machine meets all; the first round does not count."""
    taken: dict[str, list[Took]] = {name: [] for name in turns}
    for number in range(rounds + warm_up):
        for name, turn in turns.items():
            took = turn(number)
            times = f"{took.wall:5.2f} s wall {took.cpu:5.2f} s cpu {took.own:5.2f} s own"
            load, first = f"load {os.getloadavg()[0]:.1f}", "  (warm-up)" if number < warm_up else ""
            print(f"{what} {number}  {name:22} {times}  {load}{first}", flush=True)
            if took.code:
                print(f"    told: {took.told}")
            if number >= warm_up:
                taken[name].append(took)
    return taken


def show(what: str, taken: Taken) -> None:
    """Medians of every way, and ratios to kubectl's and Helm's."""
    walls = {name: statistics.median(run.wall for run in runs) for name, runs in taken.items()}
    rows = []
    for name, runs in taken.items():
        cpu, own = (statistics.median(getattr(run, kind) for run in runs) for kind in ("cpu", "own"))
        ratios = [f"{walls[name] / walls[other]:.2f}" for other in (KUBECTL, HELM)]
        rows.append([name, *(f"{value:.2f} s" for value in (walls[name], cpu, own)), *ratios])
    counted = len(next(iter(taken.values())))
    head = [f"{what}, median of {counted}", "wall", "processor", "own", "wall to kubectl's", "to Helm's"]
    print("\n" + table(head, rows))


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*[*counts, *(5, 7, 1)[len(counts) :]]))
