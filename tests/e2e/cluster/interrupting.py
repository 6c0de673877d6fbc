"""One signal to a command under way on a cluster, whose next write is looked for: it has to put things back."""

from __future__ import annotations

import signal
import time

from tests.e2e.cluster.namespace_place import NamespacePlace
from tests.e2e.killing.signalled import ISSUED, TREE_KILLED, Run
from tests.e2e.machine import Ended

FIRST_SIGNALS = {"as CI does it": signal.SIGINT, "SIGTERM": signal.SIGTERM}
CODES = {"as CI does it": 130, "SIGTERM": 143}


def interrupted(place: NamespacePlace, run: Run, how: str, resource: str = "*") -> Ended:
    """Its end. A write (to such a resource) was there in two seconds, and the run ends before CI would kill it."""
    gate, namespace = place.cluster.hands.gate, place.cluster.namespace
    gate.hold(namespace, 1, "before", resource=resource)
    run.signalled_at = time.monotonic()
    run.process.send_signal(FIRST_SIGNALS[how])
    held = gate.held(namespace, ISSUED + 1)
    issued = time.monotonic() - run.signalled_at
    gate.release(namespace)
    ended = run.end(TREE_KILLED)
    assert held is not None, f"no write came: {ended}"
    assert issued < ISSUED
    return ended
