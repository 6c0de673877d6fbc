"""What the proxy counted for each revision: HAProxy's statistics and our own latency table, read as one. Pure."""

from __future__ import annotations

import csv
import re

from shipper.model import Traffic
from shipper.targets import Transient

BOUNDS = {2: 0.01, 3: 0.05, 4: 0.1, 5: 0.25, 6: 1.0, 7: 2.5}
"""Counter of the latency table to the seconds that an answer took at most (render.base_config)."""

_ANSWERS, _ERRORS = 0, 1


def traffic_of(text: str) -> dict[str, Traffic]:
    """Revision name to its counters, from what measure.sh printed. Raises Transient when the proxy did not answer.

    The table counts answers that came from the service. What got none is in HAProxy's own statistics: `econ` (no
    connection came about, after all retries) and `eresp` (no answer, or half of one: `srv_abrt` of these had begun
    and are in the table). Questions through the pin are in neither.
    """
    slot, *lines = text.splitlines() or [""]
    if not slot:
        return {}
    if not any(line.startswith("# pxname") for line in lines):
        raise Transient("the proxy does not answer on its admin socket")
    table = {
        name: counters for line in lines if (found := _counters(line, slot.split()[1])) for name, counters in [found]
    }
    rows = csv.DictReader(line.removeprefix("# ") for line in lines if " key=" not in line)
    return {row["svname"]: _traffic(row, table.get(row["svname"], {})) for row in rows}


def _traffic(row: dict[str, str], counters: dict[int, int]) -> Traffic:
    refused, broken, begun = (int(row[name] or 0) for name in ("econ", "eresp", "srv_abrt"))
    answers = counters.get(_ANSWERS, 0)
    return Traffic(
        requests=answers + refused + max(0, broken - begun),
        errors=counters.get(_ERRORS, 0) + refused + broken,
        buckets={seconds: counters.get(number, 0) for number, seconds in BOUNDS.items()},
    )


def _counters(line: str, slot: str) -> tuple[str, dict[int, int]] | None:
    """Revision and its counters, from `0x…: key=slot00/shop-4-abcdef use=0 exp=… gpc0=12 gpc1=0 …`."""
    key = re.search(rf" key={re.escape(slot)}/(\S+) ", line)
    return (key[1], {int(number): int(value) for number, value in re.findall(r" gpc(\d)=(\d+)", line)}) if key else None
