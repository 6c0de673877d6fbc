"""Conditional writes that met nothing but a new status: a controller's word is nobody's decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shipper.targets import Conflict
from shipper_targets.kubernetes.kube_errors import Owned
from shipper_targets.kubernetes.values import Object, name_of, text

TRIES = 10
"""How often a write is made: controllers write one or two statuses a second."""

Result = TypeVar("Result")


def made_again(write: Callable[[Object], Result], there: Object, still: Callable[[], Object | None]) -> Result:
    """`write(there)`, and with `still()` where that was another version of it: what is there now, None where somebody
    has decided something since. Raises Conflict.
    """
    for _ in range(TRIES):
        try:
            return write(there)
        except Owned:
            raise
        except Conflict:
            now = still()
            if now is None:
                raise
            there = now
    raise Conflict(f"{text(there, 'kind')} {name_of(there)} was changed {TRIES} times in a row while it was written")
