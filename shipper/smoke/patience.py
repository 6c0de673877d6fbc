"""When waiting for a candidate cannot help any more: a pure decision over what was seen of its sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shipper.targets.diagnosis import Listener, is_loopback

_SETTLED = 1.0  # seconds that a loopback bind on the right port must last
_QUIET = 3.0  # seconds without work, after which a server that says it is up will not open another port
_IDLE = 0.05  # share of one processor: a server that only waits uses less, loading a model uses far more


class Look(NamedTuple):
    """What was seen at one moment: monotonic seconds, listening sockets, processor seconds used so far."""

    at: float
    listeners: tuple[Listener, ...] | None
    cpu_seconds: float | None


def is_hopeless(looks: Sequence[Look], port: int, announced: frozenset[int]) -> bool:
    """Whether the candidate will never listen where it should.

    True when its port is bound to loopback and stays so; or when it listens elsewhere only, has said in its log
    that it is up there (`announced`), and does no work. A service that opens a metrics port before it has loaded
    its model works meanwhile, and is waited for.
    """
    last = looks[-1] if looks else None
    if last is None or not last.listeners:
        return False
    ours = [address for address, found in last.listeners if found == port]
    if ours:
        return all(is_loopback(address) for address in ours) and _unchanged_for(looks, _SETTLED) is not None
    before = _unchanged_for(looks, _QUIET)
    elsewhere = {found for _, found in last.listeners}
    return before is not None and bool(elsewhere & announced) and _idle(before, last)


def _unchanged_for(looks: Sequence[Look], seconds: float) -> Look | None:
    last = looks[-1]
    for look in reversed(looks):
        if look.listeners != last.listeners:
            return None
        if last.at - look.at >= seconds:
            return look
    return None


def _idle(before: Look, last: Look) -> bool:
    if before.cpu_seconds is None or last.cpu_seconds is None:
        return False
    return last.cpu_seconds - before.cpu_seconds < _IDLE * (last.at - before.at)
