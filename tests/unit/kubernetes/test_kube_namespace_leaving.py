"""A namespace that is being deleted takes everything with it: no release can come back into it."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import Denied
from shipper_targets.kubernetes.past import restorable
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_found import found
from tests.unit.kubernetes.kube_rendering import release_of

pytestmark = pytest.mark.unit


class Manifests:
    """Every release has its record."""

    def recorded(self, *_: object) -> object:
        return object()


def namespace(**metadata: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": "shops", **metadata}}


def problems(api: Any) -> tuple[str, ...]:
    manifests: Any = Manifests()
    return restorable(api, found(), manifests, release_of()).problems


def test_in_a_namespace_that_is_being_deleted_nothing_comes_back() -> None:
    leaving = namespace(deletionTimestamp="2030-01-02T03:04:05Z")
    assert problems(Server(leaving)) == ("namespace shops is being deleted",)


def test_in_one_that_is_gone_nothing_comes_back_either() -> None:
    assert problems(Server()) == ("there is no namespace shops",)


def test_in_one_that_stays_it_does() -> None:
    assert problems(Server(namespace())) == ()


def test_who_may_not_look_at_it_is_not_kept_from_going_back() -> None:
    class Closed(Server):
        def get(self, *_: object) -> Any:
            raise Denied("namespaces is forbidden")

    assert problems(Closed()) == ()
