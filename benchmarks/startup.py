"""Start-up: `shipper --version` and `--help` against a click program that does nothing else.

    python3 benchmarks/startup.py [ROUNDS]

Both run in the environment of the installed wheel, in turn, so that load on the machine meets both. The ratio of
the medians must be 1.5 or less (docs/architecture.md, Speed); the exit code says whether it is.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import keep, table
from tools.venvs import installed

LIMIT = 1.5
BARE = """\
#!{python}
import sys
import click

@click.group()
@click.version_option("0.1.0", message="bare %(version)s")
def cli():
    "A click program that does nothing."

@cli.command()
def release():
    "Release."

if __name__ == "__main__":
    sys.exit(cli())
"""


def main(rounds: int) -> int:
    """0 when every ratio is within the limit."""
    commands = installed()
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder, "bare")
        bare.write_text(BARE.format(python=commands / "python"))
        bare.chmod(0o755)
        medians = {option: measure([bare, commands / "shipper"], option, rounds) for option in ("--version", "--help")}
    ratios = {option: ours / theirs for option, (theirs, ours) in medians.items()}
    rows = [
        [f"shipper {option}", f"{theirs * 1000:.0f} ms", f"{ours * 1000:.0f} ms", f"{ratios[option]:.2f}"]
        for option, (theirs, ours) in medians.items()
    ]
    print(table(["start-up", "bare click", "shipper", "ratio"], rows))
    kept = keep("startup", {"rounds": rounds, "median_seconds": medians, "ratio": ratios, "limit": LIMIT})
    print(f"median of {rounds}, in turn; limit {LIMIT}; {kept.name}")
    return 0 if max(ratios.values()) <= LIMIT else 1


def measure(programs: list[Path], option: str, rounds: int) -> list[float]:
    """The median wall time of each program in seconds, after one start of each that does not count."""
    taken: list[list[float]] = [[] for _ in programs]
    for number in range(rounds + 1):
        for program, times in zip(programs, taken, strict=True):
            started = time.perf_counter()
            subprocess.run([program, option], stdout=subprocess.DEVNULL, check=True)
            if number:
                times.append(time.perf_counter() - started)
    return [statistics.median(times) for times in taken]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
