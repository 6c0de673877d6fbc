"""A rollback from a machine that does not get to the service at all: putting the bad release back would help nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import PutBack
from shipper.model import Address, HealthSettings, Observation, Probe, Revision, SmokeSettings
from shipper.rollout import unreached, verify
from shipper.smoke.asking import Asked, Fault
from tests.unit.rollout.world import World

pytestmark = pytest.mark.unit

URL = "http://shop.example.com"


def over_the_network(name: str, call: Callable[[], Any]) -> Any:
    """The same place, with an address of the internet."""
    found = call()
    if name != "observe":
        return found
    return found.model_copy(update={"address": Address(url=URL, reach="public", unreached="say where")})


@pytest.fixture
def asked_from_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def answers(before: str, after: str) -> None:
        """Why no connection is made; empty where one is, and nothing is answered."""

        def asking(words: str) -> Any:
            def ask(url: str, request: Any, **_: Any) -> Asked:
                probe = Probe(name=request.name, ok=False, seconds=0.0, problem=words or "silence")
                return Asked(probe, {}, Fault("bad-answer", probe.problem), url=url, reached=not words)

            return ask

        monkeypatch.setattr(unreached, "ask", asking(before))
        monkeypatch.setattr(verify, "ask", asking(after))
        monkeypatch.setattr(verify, "PATIENCE", 0.0)

    return answers


@pytest.fixture
def two(world: World) -> World:
    world.release("one")
    world.release("two")
    world.around = over_the_network
    return world


def test_what_comes_back_stays_where_nobody_got_to_what_served_before(
    two: World, asked_from_here: Callable[..., None]
) -> None:
    asked_from_here(before="refused", after="refused")
    deployment = two.rollback()
    assert (two.serves, deployment.verdict.proof, deployment.verdict.ok) == ({"one": 100}, "routing", True)
    (said,) = [text for text in two.told.remarks if "this machine gets to neither" in text]
    assert said.startswith("proved by routing only")
    assert said.endswith("say where")


@pytest.mark.parametrize(("before", "after"), [("", "refused"), ("no such name", "refused"), ("refused", ""), ("", "")])
def test_what_fails_in_another_way_than_before_is_put_back(
    two: World, asked_from_here: Callable[..., None], before: str, after: str
) -> None:
    asked_from_here(before=before, after=after)
    with pytest.raises(PutBack):
        two.rollback()
    assert two.serves == {"two": 100}


def test_a_release_that_nobody_gets_to_is_put_back(two: World, asked_from_here: Callable[..., None]) -> None:
    asked_from_here(before="refused", after="refused")
    with pytest.raises(PutBack):
        two.release("three")
    assert two.serves == {"two": 100}


def test_looking_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = threading.Event()

    def ask(*_: Any, **__: Any) -> Asked:
        silent.wait(30)
        return Asked(Probe(name="late", ok=False, seconds=1.0, problem="refused"), {}, None, reached=False)

    monkeypatch.setattr(unreached, "ask", ask)
    monkeypatch.setattr(unreached, "LONGEST", 0.01)
    serving = Revision(name="web-1", release="x", weight=100)
    now = Observation(seen="1", serving=(serving,), revisions=(serving,), address=Address(url=URL, reach="public"))
    try:
        assert unreached.why_unreached(now, HealthSettings(), SmokeSettings()) == ""
    finally:
        silent.set()
