"""A gateway's word about a route: a refusal has to stand, and whoever is told to stop does not wait for it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from shipper.targets import Invalid
from shipper_targets.kubernetes import switching
from shipper_targets.kubernetes.switching import until_accepted

pytestmark = pytest.mark.unit

ROUTE = {"metadata": {"name": "shop", "generation": 3}}

WHY = {"reason": "BackendNotFound", "message": "no Service"}


class Gateway:
    """Its answers one after the other; the last one for ever."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)

    def find(self, *_: Any) -> dict[str, Any]:
        status = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        told = [
            {
                "type": kind,
                "status": says,
                "reason": "BackendNotFound",
                "message": "no Service",
                "observedGeneration": 3,
            }
            for kind, says in (("Accepted", "True"), ("ResolvedRefs", status))
            if says
        ]
        return {"metadata": {"name": "shop"}, "status": {"parents": [{"conditions": told}]}}


class Cancel:
    """Cancelled at the first wait."""

    def wait(self, seconds: float) -> bool:
        return True


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "LOOK", 0.001)
    monkeypatch.setattr(switching, "ACCEPTED_WITHIN", 0.05)
    monkeypatch.setattr(switching, "REFUSED_FOR", 0.1)


def accepted(gateway: Gateway, cancel: Any = None) -> str:
    return until_accepted(gateway, ROUTE, cancel)  # type: ignore[arg-type]


def test_a_gateway_that_has_not_seen_the_service_yet_refuses_nothing() -> None:
    assert accepted(Gateway("False", "False", "True")) == ""


def test_a_refusal_that_stands_is_one_although_it_began_late() -> None:
    began = time.monotonic()
    with pytest.raises(Invalid, match="the gateway refuses HTTPRoute shop: BackendNotFound: no Service"):
        accepted(Gateway("", "False"))
    assert time.monotonic() - began >= 0.1


def test_silence_is_told_and_is_no_refusal() -> None:
    assert accepted(Gateway("")) == "no gateway has said that it takes HTTPRoute shop"


@pytest.mark.parametrize("answer", ["", "False"])
def test_who_is_told_to_stop_waits_for_nothing(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "ACCEPTED_WITHIN", 600.0)
    monkeypatch.setattr(switching, "REFUSED_FOR", 600.0)
    assert accepted(Gateway(answer), Cancel()) == ""
