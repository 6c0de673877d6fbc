"""`shipper rollback` against by_hand.sh's, in turn: from an empty directory, the way back still warm.

    python3 benchmarks/rollback.py [ROUNDS]

By hand the image of then is started again and put in front, by somebody who knows its tag. shipper finds out what to
go back to, takes the lease, moves the traffic, proves by the answers who serves, and writes it down. "own" is what
of its wall time the engine did not work for it: the time in which no request was under way on the engine's socket.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.release import BenchmarkError, Contest, clean, prepare, timed
from benchmarks.report import keep, table
from tests.rig.api import DOCKER, ensure
from tests.rig.engine_time import EngineTime


@dataclass(frozen=True)
class Back:
    """One way back: wall seconds, and those of them in which the engine was at work (0 where not measured)."""

    total: float
    engine: float = 0.0


def main(rounds: int) -> int:
    """Print the ratio. 1 when a contestant failed."""
    rig = ensure(DOCKER)
    with tempfile.TemporaryDirectory(prefix="shipper-bench") as folder:
        contest = prepare(Path(folder), rig)
        try:
            for version in ("one", "two"):
                contest.by_hand(version)
                contest.ours(version)
            hand, ours = compete(contest, Path(folder), rounds)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            clean(contest)
    show(hand, ours)
    return 0


def compete(contest: Contest, folder: Path, rounds: int) -> tuple[list[Back], list[Back]]:
    """The runs of both, without the first, which does not count."""
    hand: list[Back] = []
    ours: list[Back] = []
    empty = folder / "empty"
    empty.mkdir()
    for number in range(rounds + 1):
        turns = [(by_hand, hand), (rolled_back, ours)]
        for back, runs in turns if number % 2 else reversed(turns):
            run = back(contest, empty, number)
            name = "by hand" if runs is hand else "shipper"
            print(f"round {number}  {name}  {run.total:5.2f} s{'  (warm-up)' if not number else ''}", flush=True)
            if number:
                runs.append(run)
    return hand, ours


def by_hand(contest: Contest, empty: Path, number: int) -> Back:
    """To the other of the two versions."""
    script = Path(__file__).parent / "by_hand.sh"
    _, seconds = timed([str(script), "rollback", ("one", "two")[number % 2]], contest.env())
    return Back(seconds)


def rolled_back(contest: Contest, empty: Path, number: int) -> Back:
    """To the other of the two releases, asked for by its number so that neither is quarantined for good."""
    own = f"docker://?namespace=shipper-bench&port={contest.ports[1]}"
    words = [str(contest.shipper), "rollback", "--service", "iris", "-t", own, "--to", f"#{1 + number % 2}", "--json"]
    with EngineTime(contest.rig.docker_host or "unix:///var/run/docker.sock") as engine:
        env = {**contest.env(), "DOCKER_HOST": engine.address}
        said, seconds = timed_in(empty, words, env)
    last = json.loads(said.strip().splitlines()[-1])
    if last["code"] != 0 or not last["serves"]["changed"]:
        raise BenchmarkError(f"shipper rollback: {last['message']}")
    return Back(seconds, engine.busy)


def timed_in(folder: Path, words: Sequence[str], env: Mapping[str, str]) -> tuple[str, float]:
    """As `timed`, from a directory."""
    return timed(["env", "-C", str(folder), *words], env)


def show(hand: Sequence[Back], ours: Sequence[Back]) -> None:
    """The table, and the numbers kept."""
    theirs = statistics.median(run.total for run in hand)
    total = statistics.median(run.total for run in ours)
    own = statistics.median(run.total - run.engine for run in ours)
    rows = [
        ["wall", f"{theirs:.2f} s", f"{total:.2f} s", f"{total / theirs:.2f}"],
        ["own (not the engine's)", "-", f"{own:.2f} s", "-"],
    ]
    print("\n" + table([f"median of {len(hand)}", "by hand", "shipper", "ratio"], rows))
    every = {name: [vars(run) for run in runs] for name, runs in (("hand", hand), ("shipper", ours))}
    kept = keep("rollback", {"rounds": len(hand), "ratio": total / theirs, "own": own, "runs": every})
    print(kept.name)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
