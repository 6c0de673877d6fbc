"""A lease that is given back stays given back, whatever request was under way."""

from __future__ import annotations

import threading

import pytest

from shipper.ledger.tenure import is_released
from tests.unit.ledger.ledger_making import KEYS, DictStore, holder
from tests.unit.ledger.test_ledger_beating import leases, renewing

pytestmark = pytest.mark.unit


def test_a_beat_that_takes_long_does_not_undo_it() -> None:
    """The next run would wait until the lease counts as dead."""
    store = DictStore()
    slow, began, landed = threading.Event(), threading.Event(), threading.Event()

    def takes_long(verb: str, key: str) -> None:
        if verb == "put" and "/beats/" in key and not began.is_set():
            began.set()
            slow.wait(0.4)  # longer than `timings.answer`

    def says(verb: str, key: str) -> None:
        if verb == "put" and "/beats/" in key and not is_released(store.objects[key]):
            landed.set()

    store.before.append(takes_long)
    store.after.append(says)
    with leases(store).held(holder()):
        assert began.wait(5)
    assert landed.wait(5)
    assert is_released(store.objects[KEYS.beat(1)])
    assert renewing() == []
