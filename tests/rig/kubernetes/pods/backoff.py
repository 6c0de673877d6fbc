"""How long a kubelet waits before it tries again: 10 s, doubled each time, at most 300 s, forgotten after a good while.

From k8s.io/client-go/util/flowcontrol/backoff.go and kuberuntime_manager.go (doBackOff): the first failure is tried
again at once, the second waits 10 s from the container's end. A test may shorten the waiting by a factor.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST, LONGEST = 10.0, 300.0
FORGET = 600.0  # a container that ran this long starts from the beginning


class BackOff:
    """One key's waiting. `factor` is asked every time: 1.0 is the real time."""

    def __init__(self, factor: Callable[[], float]) -> None:
        self._factor = factor
        self._next = 0.0

    @property
    def seconds(self) -> float:
        """What the kubelet says it waits, unscaled; 0 before the first failure."""
        return self._next

    def failed(self, ran: float = 0.0) -> float:
        """Note a failure of something that ran `ran` seconds; how long to wait now, scaled."""
        factor = self._factor()
        if ran > FORGET * factor:
            self._next = 0.0
        waiting = self._next
        self._next = min(LONGEST, waiting * 2) if waiting else FIRST
        return waiting * factor
