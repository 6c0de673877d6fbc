"""Which lines of a log a query takes (pure): pkg/kubelet/kuberuntime/logs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.rig.kubernetes.pods.runtime import LogQuery


@dataclass(frozen=True)
class Line:
    """One line, without its newline, and when it was written, in seconds since 1970."""

    at: float
    text: str


def select(lines: Iterable[Line], query: LogQuery) -> Iterator[bytes]:
    """The lines that the query takes, with their newlines, cut at its limit of bytes."""
    since = 0.0 if query.since is None else time.time() - query.since
    kept = [line for line in lines if line.at >= since]
    if query.tail is not None:
        kept = kept[-query.tail :] if query.tail else []
    left = query.limit
    for line in kept:
        shown = f"{_stamp(line.at)} {line.text}\n" if query.timestamps else f"{line.text}\n"
        piece = shown.encode()
        if left is not None:
            piece = piece[:left]
            left -= len(piece)
        yield piece
        if left == 0:
            return


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
