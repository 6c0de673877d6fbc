"""Long lists: what a page cannot go on from is not asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.kube_errors import Gone
from tests.unit.kubernetes.kube_rendering import own

pytestmark = pytest.mark.unit


class Expired(Api):
    """An API server whose second page is too old already."""

    def __init__(self) -> None:
        super().__init__(own())
        self.asked: list[Mapping[str, str]] = []

    def _object(
        self, doing: str, method: str, path: str, query: Sequence[tuple[str, str]] = (), *_: Any, **__: Any
    ) -> dict[str, Any]:
        self.asked.append(dict(query))
        if "continue" in dict(query):
            raise Gone("The provided continue parameter is too old")
        more = {"continue": "next"} if "limit" in dict(query) else {}
        return {"items": [{"metadata": {"name": "a"}}], "metadata": {"resourceVersion": "9", **more}}


def test_a_page_that_has_expired_is_asked_for_once_and_then_all_at_once() -> None:
    api = Expired()
    listed = api.list(POD)
    assert (len(listed.items), listed.version) == (1, "9")
    assert api.asked == [{"limit": "500"}, {"limit": "500", "continue": "next"}, {}]
