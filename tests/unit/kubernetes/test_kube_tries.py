"""A write that met another version of its object is made again upon what is there, unless somebody has decided."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import Conflict
from shipper_targets.kubernetes.kube_errors import Owned
from shipper_targets.kubernetes.tries import TRIES, made_again
from shipper_targets.kubernetes.values import Object

pytestmark = pytest.mark.unit


def version(number: int) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": "shop", "resourceVersion": str(number)}}


class There:
    """An object whose status changes `changes` times while somebody writes to it."""

    def __init__(self, changes: int) -> None:
        self.written: list[Object] = []
        self._changes = changes

    def write(self, there: Object) -> str:
        self.written.append(there)
        if len(self.written) <= self._changes:
            raise Conflict("the object has been modified")
        return "written"

    def still(self) -> Object:
        return version(len(self.written))


def test_only_another_status_is_no_reason_to_stop() -> None:
    there = There(changes=3)

    assert made_again(there.write, version(0), there.still) == "written"
    assert there.written == [version(number) for number in range(4)]


def test_what_somebody_has_decided_since_is_not_written_over() -> None:
    there = There(changes=1)

    with pytest.raises(Conflict, match="has been modified"):
        made_again(there.write, version(0), lambda: None)
    assert len(there.written) == 1


def test_what_changes_all_the_time_is_given_up_in_the_end() -> None:
    there = There(changes=TRIES)

    with pytest.raises(Conflict, match=f"Service shop was changed {TRIES} times in a row"):
        made_again(there.write, version(0), there.still)
    assert len(there.written) == TRIES


def test_fields_that_somebody_else_owns_are_no_status() -> None:
    def write(_: Object) -> None:
        raise Owned("spec.replicas is owned by hpa", {})

    def never() -> Object:
        raise AssertionError

    with pytest.raises(Owned):
        made_again(write, version(0), never)
