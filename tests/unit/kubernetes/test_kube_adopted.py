"""What was in a Deployment before shipper took it over: the last one that was, and nobody else's Secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from shipper.targets import Conflict, Invalid
from shipper_targets.kubernetes.adopting import keep_snapshot, snapshot
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.values import name_of, uid_of

pytestmark = pytest.mark.unit


class Secrets:
    """The Secrets of a namespace."""

    namespace = "shops"

    def __init__(self, *there: Mapping[str, Any]) -> None:
        self.there = {name_of(one): dict(one) for one in there}
        self.calls = list[str]()

    def create(self, _: Kind, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls.append("create")
        if name_of(body) in self.there:
            raise Conflict("it is there already")
        uid = f"uid {len(self.calls)}"
        self.there[name_of(body)] = {**body, "metadata": {**body["metadata"], "uid": uid}}
        return body

    def find(self, _: Kind, name: str) -> Mapping[str, Any] | None:
        return self.there.get(name)

    def delete(self, _: Kind, name: str, *, uid: str) -> None:
        self.calls.append("delete")
        assert uid == uid_of(self.there[name])
        del self.there[name]


def deployment(image: str) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "labels": {"app": "shop"}}, "spec": {"image": image}}


def kept(secrets: Any) -> Any:
    found = snapshot(secrets, "shop")
    return found and found["spec"]["image"]


def keep(secrets: Any, image: str) -> None:
    keep_snapshot(secrets, "shop", deployment(image), {})


def test_a_run_that_did_not_come_further_has_kept_it_already() -> None:
    secrets = Secrets()
    keep(secrets, "one")
    keep(secrets, "one")

    assert kept(secrets) == "one"
    assert secrets.calls == ["create", "create"]


def test_what_was_kept_of_an_earlier_deployment_is_not_what_is_put_back() -> None:
    """That one was deleted by hand, and its owner made another one, which is taken over in its turn."""
    secrets = Secrets()
    keep(secrets, "one")
    keep(secrets, "two")

    assert kept(secrets) == "two"


def test_a_secret_of_somebody_else_stays_and_nothing_is_taken_over_without_a_way_back() -> None:
    theirs = {"metadata": {"name": "shipper-shop-adopted", "uid": "theirs"}, "type": "Opaque"}
    secrets = Secrets(theirs)

    with pytest.raises(Invalid, match="Secret shipper-shop-adopted is there, and shipper did not make it"):
        keep(secrets, "one")
    assert secrets.there == {"shipper-shop-adopted": theirs}
