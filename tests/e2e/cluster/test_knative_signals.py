"""SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that, and SIGTERM alone, in the middle of a rollout on Knative.

Asked from outside: exit code, who answers over HTTP, how soon the write came that puts things back, and that the next
run finishes.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.cluster.tiny_knative import TinyKnative, tiny_knative
from tests.e2e.killing.signalled import ISSUED, TREE_KILLED, Run, assert_interrupted
from tests.e2e.tiny_place import canary, slow_start
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BAKING = canary("60s")
SIGNALS = {"as CI does it": signal.SIGINT, "SIGTERM": signal.SIGTERM}
CODES = {"as CI does it": 130, "SIGTERM": 143}


@pytest.fixture(scope="module")
def place(
    shipper: Path,
    rig: Rig,
    knative_rig: KubeRig,
    ledger_store: RunningStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TinyKnative]:
    """Something serves there."""
    with tiny_knative(shipper, rig, knative_rig, ledger_store, tmp_path_factory.mktemp("signals")) as made:
        made.served()
        yield made


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", SIGNALS)
def test_while_its_revision_starts(place: TinyKnative, how: str) -> None:
    served, stable, newest = place.served(), place.serves, place.newest
    wanted = place.next_text()
    place.write(wanted, **slow_start(60))
    run = Run(place.start(*place.release_words))
    run.until(lambda: place.newest != newest)
    interrupt(place, run, how)
    assert_next_run_finishes(place, served, stable, wanted)


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", SIGNALS)
def test_in_the_middle_of_a_canary(place: TinyKnative, how: str) -> None:
    served, stable = place.served(), place.serves
    wanted = place.next_text()
    place.write(wanted, **BAKING)
    run = Run(place.start(*place.release_words))
    run.until(lambda: sorted(place.serves.values()) == [10, 90])
    interrupt(place, run, how)
    assert_next_run_finishes(place, served, stable, wanted)


def interrupt(place: TinyKnative, run: Run, how: str) -> None:
    """The write that puts things back comes at once, and the run ends with the signal's code before CI kills it."""
    gate, namespace = place.cluster.hands.gate, place.cluster.namespace
    gate.hold(namespace, 1, "before")
    run.signalled_at = time.monotonic()
    run.process.send_signal(SIGNALS[how])
    held = gate.held(namespace, ISSUED + 1)
    issued = time.monotonic() - run.signalled_at
    gate.release(namespace)
    ended = run.end(TREE_KILLED)
    assert held is not None, f"no write came: {ended}"
    assert issued < ISSUED
    assert_interrupted(ended, CODES[how])


def assert_next_run_finishes(place: TinyKnative, served: str, stable: dict[str, int], wanted: str) -> None:
    """What served serves alone, and what was interrupted goes out when it is released again."""
    assert {place.text() for _ in range(10)} == {served}
    assert place.serves == stable
    assert place.idle_tags == []
    again = place.release(wanted)
    assert again.code == 0, again
    assert place.text() == wanted
    assert list(place.serves.values()) == [100]
    assert place.idle_tags == []
