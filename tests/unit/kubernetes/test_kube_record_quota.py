"""A record for which quota leaves no room: what to do is said."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kube_errors import Refused
from shipper_targets.kubernetes.records import Records
from shipper_targets.kubernetes.render import render
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_rendering import own, release_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("words", "is_told"), [("exceeded quota: secrets", True), ("a policy", False)])
def test_old_records_are_what_makes_room(words: str, is_told: bool) -> None:
    class Full(Server):
        def create(self, *_: Any, **__: Any) -> Any:
            raise Refused(f"create Secret: {words}")

    release = release_of()
    with pytest.raises(Invalid) as refused:
        Records(cast("Api", Full()), "shop", "").write(release, render(release, own(), "rolling"), {})
    assert ("shipper gc" in refused.value.hint) is is_told
