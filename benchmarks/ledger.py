"""The ledger at 10, 1,000 and 100,000 releases: the same time, whatever came before.

    python3 benchmarks/ledger.py [--quick] [ROUNDS]

The logs are generated as files, as a ledger would have written them; every measured call is the ledger's own. Runs in
the environment of the installed wheel. --quick leaves out the 100,000 (200,000 files, 0.8 GB below build/). Each time
at the longest log must be within 3 times that at 10 releases, or below 2 ms; the exit code says whether it is.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.report import keep, table
from tools.venvs import BUILD, installed

if TYPE_CHECKING:
    from shipper.ledger.log import StoredLedger
    from shipper.model import Entry, Fact, LedgerState

LIMIT = 3.0
ENOUGH = 0.002
SIZES = (10, 1_000, 100_000)
SERVICE, ENVIRONMENT, TARGET = "iris", "production", "docker"
_NUMBER, _POSITION = 7_777_777_777, 8_888_888_888
"""Stand for a number and a position in the bytes of an entry."""


def main(rounds: int, sizes: tuple[int, ...]) -> int:
    """0 when every time is within the limit."""
    BUILD.mkdir(exist_ok=True)
    medians: dict[str, dict[str, float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="ledger-") as folder:
            url = Path(folder).as_uri()
            generate(Path(folder), size)
            medians[f"file {size:,}"] = measure(url, size, rounds)
    for size in sizes[:2]:
        url = f"memory://{size}"
        append(opened(url), size)
        medians[f"memory {size:,}"] = measure(url, size, rounds)
    first, last = medians["file 10"], medians[f"file {sizes[-1]:,}"]
    ratios = {what: last[what] / first[what] for what in first}
    rows = [
        *([name, *(f"{seconds * 1000:.2f} ms" for seconds in times.values())] for name, times in medians.items()),
        [f"{sizes[-1]:,} to 10", *(f"{ratio:.2f}" for ratio in ratios.values())],
    ]
    print(table(["releases", *first], rows))
    kept = keep("ledger", {"rounds": rounds, "median_seconds": medians, "ratio": ratios, "limit": LIMIT})
    print(f"median of {rounds}; limit {LIMIT} times, or {ENOUGH * 1000:.0f} ms; {kept.name}")
    return 0 if all(ratios[what] <= LIMIT or last[what] <= ENOUGH for what in first) else 1


def measure(url: str, size: int, rounds: int) -> dict[str, float]:
    """Median seconds of each call; of `open` and what follows from nothing, each time by a ledger of its own."""
    numbers = random.Random(size)
    return {
        "open": median(rounds, lambda: opened(url).state()),
        "look again": median(rounds, opened(url).state),
        "history of 20": median(rounds, lambda: list(islice(opened(url).history(), 20))),
        "release N": median(rounds, lambda: opened(url).release(numbers.randint(1, size))),
        "append": median(rounds, lambda: append(opened(url), 1)) / 2,
    }


def median(rounds: int, call: Callable[[], object]) -> float:
    """Seconds, after one call that does not count."""
    times = []
    for number in range(rounds + 1):
        started = time.perf_counter()
        call()
        if number:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def opened(url: str) -> StoredLedger:
    """A ledger that knows nothing yet."""
    from shipper.ledger.opening import open_ledger

    return open_ledger(url, service=SERVICE, environment=ENVIRONMENT, target=TARGET, environ=os.environ)


def append(ledger: StoredLedger, count: int) -> None:
    """So many releases, each begun and verified: two entries."""
    for _ in range(count):
        ledger.append(lambda state: begun(state.highest + 1), run="run", epoch=1)
        ledger.append(lambda state: ended(state.highest), run="run", epoch=1)


def generate(folder: Path, size: int) -> None:
    """The files of a log of so many verified releases: entries, the newest fold, and no snapshot between."""
    from shipper.ledger.entries import entry_bytes
    from shipper.ledger.fold import NUMBERS, fold
    from shipper.ledger.keys import Keys
    from shipper.ledger.snapshot import Snapshot
    from shipper.model import LedgerState

    keys = Keys(SERVICE, ENVIRONMENT, TARGET)
    templates = [entry_bytes(entry(_POSITION, fact)).decode() for fact in (begun(_NUMBER), ended(_NUMBER))]
    (folder / keys.entry(1)).parent.mkdir(parents=True)
    for position in range(1, 2 * size + 1):
        text = templates[(position + 1) % 2].replace(str(_POSITION), str(position))
        (folder / keys.entry(position)).write_text(text.replace(str(_NUMBER), str((position + 1) // 2)))
    known = max(0, size - 2 * NUMBERS)  # beyond that the bounded state has forgotten what came before
    state: LedgerState = LedgerState(position=2 * known, highest=known, serving=known or None)
    for number in range(known + 1, size + 1):
        state = fold(state, entry(2 * number - 1, begun(number)))
        state = fold(state, entry(2 * number, ended(number)))
    (folder / keys.hint).parent.mkdir(parents=True)
    (folder / keys.hint).write_bytes(Snapshot(state, "nonce").to_bytes())


def entry(position: int, fact: Fact) -> Entry:
    """An entry as it is written."""
    from shipper.model import Entry

    return Entry(position=position, nonce="nonce", at=1.0, epoch=1, run="run", fact=fact)


def begun(number: int) -> Fact:
    """Release N begins."""
    from shipper.model import Holder, ImageRef, Release, ServiceSettings, Settings, Started

    digest = "sha256:" + "ab" * 32
    release = Release(
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        number=number,
        fingerprint=digest,
        images={"main": ImageRef(config_digest=digest, reference=f"iris@{digest}", platform="linux/amd64")},
        settings=Settings(service=ServiceSettings(service=SERVICE, environment=ENVIRONMENT, root="/iris")),
        target=TARGET,
        created=1.0,
    )
    by = Holder(run="run", purpose="release", who="alice@laptop", machine="laptop", pid=1, since=1.0)
    return Started(release=release, by=by)


def ended(number: int) -> Fact:
    """Release N serves, verified."""
    from shipper.model import Finished, Verdict

    return Finished(number=number, outcome="verified", verdict=Verdict(ok=True, proof="identity"), serves=number)


if __name__ == "__main__":
    words = sys.argv[1:]
    if "--inside" not in words:
        python = installed() / "python"
        os.execv(python, [str(python), __file__, "--inside", *words])
    counts = [int(word) for word in words if word.isdecimal()]
    sys.exit(main(counts[0] if counts else 30, SIZES[:2] if "--quick" in words else SIZES))
