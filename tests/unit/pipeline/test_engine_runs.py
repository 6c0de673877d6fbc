"""Every stage runs once, after its ingredients, beside those that it does not need."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import create_model

from shipper.errors import PipelineError
from shipper.model import Evidence, EvidenceFound, Product, StageFinished, StageLog, StageStarted
from shipper.model.all import All
from shipper.model.context import Cancellation, Reporter
from shipper.pipeline import assemble
from tests.unit.pipeline.kitchen import ABOUT, Bread, Dough, Flour, Hearth, Kitchen, Oven, Tasting, Water, Weighing

pytestmark = pytest.mark.unit


def knead(flour: Flour, water: Water, report: Reporter) -> Dough:
    report.log("kneading")
    return Dough(grams=flour.grams + water.grams)


def weigh(dough: Dough) -> Weighing:
    return Weighing(subject=ABOUT, status="passed", reason=f"{dough.grams} g")


def sniff(dough: Dough, report: Reporter) -> Tasting:
    found = Tasting(subject=ABOUT, status="failed", reason="sour")
    report.evidence(found)
    return found


def bake(dough: Dough, oven: Oven, evidence: All[Evidence]) -> Bread:
    return Bread(text=f"{oven.bake(dough.grams)}, {[type(found).__name__ for found in evidence]}")


BREAD = assemble("bread", goal=Bread, seeds=[Flour, Water], stages=[bake, sniff, weigh, knead])


def test_from_seeds_to_the_goal() -> None:
    kitchen = Kitchen()

    bread = kitchen.cook(BREAD, Flour(), Water(), oven=Hearth())

    # All is in the order of the pipeline's file, whatever finished first.
    assert bread == Bread(text="bread of 800 g, ['Tasting', 'Weighing']")
    assert kitchen.endings() == {"knead": "done", "weigh": "done", "sniff": "done", "bake": "done"}
    assert set(kitchen.events.timings) == {"knead", "weigh", "sniff", "bake"}


def test_a_stage_reports_under_its_own_name() -> None:
    kitchen = Kitchen()

    kitchen.cook(BREAD, Flour(), Water(), oven=Hearth())

    (line,) = kitchen.told.of(StageLog)
    assert (line.stage, line.line, line.run) == ("knead", "kneading", "01RUN")
    assert line.at > 0


def test_evidence_is_told_once_whether_the_stage_told_it_or_not() -> None:
    kitchen = Kitchen()

    kitchen.cook(BREAD, Flour(), Water(), oven=Hearth())

    told = [(event.stage, event.evidence["status"]) for event in kitchen.told.of(EvidenceFound)]
    assert sorted(told) == [("sniff", "failed"), ("weigh", "passed")]


def test_independent_stages_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=5)

    def left(flour: Flour) -> Weighing:
        meeting.wait()
        return Weighing(subject=ABOUT, status="passed")

    def right(flour: Flour) -> Tasting:
        meeting.wait()
        return Tasting(subject=ABOUT, status="passed")

    def end(evidence: All[Evidence]) -> Bread:
        return Bread(text=str(len(evidence)))

    pipeline = assemble("meeting", goal=Bread, seeds=[Flour], stages=[left, right, end])

    assert Kitchen().cook(pipeline, Flour()) == Bread(text="2")


def test_a_missing_seed_and_a_missing_service_are_found_before_anything_starts() -> None:
    kitchen = Kitchen()

    with pytest.raises(PipelineError, match="the seed Water was not given"):
        kitchen.cook(BREAD, Flour(), oven=Hearth())
    with pytest.raises(PipelineError, match="stage bake, parameter oven: no service oven"):
        kitchen.cook(BREAD, Flour(), Water())

    assert kitchen.told.of(StageStarted) == []


def test_a_service_that_lacks_a_member_is_found_before_anything_starts() -> None:
    class Fridge:
        temperature = 4.0

    with pytest.raises(PipelineError, match="Fridge is no Oven: it lacks bake"):
        Kitchen().cook(BREAD, Flour(), Water(), oven=Fridge())


def test_checking_a_service_does_not_ask_it_anything() -> None:
    class Distant(Hearth):
        @property
        def temperature(self) -> float:  # type: ignore[override]
            raise AssertionError("asked over the network")

    assert Kitchen().cook(BREAD, Flour(), Water(), oven=Distant())


def test_each_stage_gets_its_own_cancellation() -> None:
    seen: list[object] = []

    def one(flour: Flour, cancel: Cancellation) -> Dough:
        seen.append(cancel)
        return Dough(grams=1)

    def two(dough: Dough, cancel: Cancellation) -> Bread:
        seen.append(cancel)
        return Bread(text="")

    Kitchen().cook(assemble("two", goal=Bread, seeds=[Flour], stages=[one, two]), Flour())

    assert seen[0] is not seen[1]


POOL: list[type[Product]] = [create_model(f"Product{number}", __base__=Product) for number in range(9)]


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """For each product but the seed: which earlier products it is made of. All lead to the last one."""
    size = draw(st.integers(2, len(POOL) - 1))
    inputs = [
        tuple(sorted(draw(st.sets(st.integers(0, number - 1), min_size=1, max_size=4)))) for number in range(1, size)
    ]
    used = {source for sources in inputs for source in sources}
    loose = [number for number in range(size) if number not in used]
    return [*inputs, tuple(loose)]


def stage_making(number: int, sources: tuple[int, ...], note: Callable[[int], None]) -> Callable[..., Any]:
    def function(**ingredients: Product) -> Product:
        assert {type(product) for product in ingredients.values()} == {POOL[source] for source in sources}
        note(number)
        return POOL[number]()

    names = [f"p{source}" for source in sources]
    function.__name__ = f"make{number}"
    function.__annotations__ = {**{f"p{source}": POOL[source] for source in sources}, "return": POOL[number]}
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )
    return function


@settings(max_examples=40)
@given(graphs(), st.randoms())
def test_whatever_the_graph_each_stage_runs_once_after_its_ingredients(
    graph: list[tuple[int, ...]], random: Any
) -> None:
    made: list[int] = [0]
    stages = [stage_making(number, sources, made.append) for number, sources in enumerate(graph, 1)]
    random.shuffle(stages)
    goal = POOL[len(graph)]
    kitchen = Kitchen()

    product = kitchen.cook(assemble("any", goal=goal, seeds=[POOL[0]], stages=stages), POOL[0]())

    assert type(product) is goal
    assert sorted(made) == list(range(len(graph) + 1))
    for number, sources in enumerate(graph, 1):
        assert all(made.index(source) < made.index(number) for source in sources)
    assert len(kitchen.told.of(StageFinished)) == len(graph)
