"""A stage's signature is its recipe; everything that is wrong with it is said at load, naming stage and parameter."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.errors import PipelineError
from shipper.model import Evidence, Image
from shipper.model.all import All
from shipper.model.context import Cancellation, Reporter
from shipper.pipeline import assemble
from shipper.pipeline.signature import read
from shipper.pipeline.stage import Reuse, options_of, stage
from tests.unit.pipeline.kitchen import Bread, Dough, Flour, Hearth, Oven, Water, Weighing

pytestmark = pytest.mark.unit


def knead(flour: Flour, water: Water) -> Dough:
    return Dough(grams=flour.grams + water.grams)


def test_products_services_and_all_are_told_apart() -> None:
    def judge(dough: Dough, evidence: All[Evidence], oven: Oven, report: Reporter, cancel: Cancellation) -> Bread:
        return Bread(text="")

    step, problems = read(judge)

    assert not problems
    assert step is not None
    assert [(item.name, item.role) for item in step.ingredients] == [
        ("dough", "product"),
        ("evidence", "all"),
        ("oven", "service"),
        ("report", "service"),
        ("cancel", "service"),
    ]
    assert step.product is Bread


def test_a_stage_stays_the_function_that_it_is() -> None:
    decorated = stage(version=3, timeout=9.0)(knead)

    assert decorated is knead
    assert decorated(Flour(), Water()) == Dough(grams=800)
    assert options_of(decorated).version == 3


def test_an_undecorated_function_is_a_stage_with_the_defaults() -> None:
    def plain(flour: Flour) -> Dough:
        return Dough(grams=flour.grams)

    assert options_of(plain).version == 1
    assert options_of(plain).reuse is None


def optional(flour: Flour | None) -> Dough:
    raise AssertionError


def united(flour: Flour | Water) -> Dough:
    raise AssertionError


def defaulted(flour: Flour = Flour()) -> Dough:  # noqa: B008
    raise AssertionError


def untyped(flour) -> Dough:  # type: ignore[no-untyped-def]
    raise AssertionError


def concrete(oven: Hearth) -> Dough:
    raise AssertionError


def a_text(name: str) -> Dough:
    raise AssertionError


def all_of_a_text(names: All[str]) -> Dough:
    raise AssertionError


def many(*flours: Flour) -> Dough:
    raise AssertionError


@pytest.mark.parametrize(
    ("function", "parameter", "reason"),
    [
        (optional, "flour", "Optional and Union are not allowed"),
        (united, "flour", "Optional and Union are not allowed"),
        (defaulted, "flour", "has a default"),
        (untyped, "flour", "has no type"),
        (concrete, "oven", "Hearth is not a product, All[...] or a protocol"),
        (a_text, "name", "str is not a product"),
        (all_of_a_text, "names", "All[str] is not a product"),
        (many, "flours", "plain named parameters only"),
    ],
)
def test_what_a_parameter_may_not_be(function: Any, parameter: str, reason: str) -> None:
    _, problems = read(function)

    (problem,) = problems
    assert problem.startswith(f"stage {function.__name__}, parameter {parameter}: ")
    assert reason in problem


def test_a_stage_returns_one_product() -> None:
    def nothing(flour: Flour) -> None:
        raise AssertionError

    def pair(flour: Flour) -> tuple[Dough, Bread]:
        raise AssertionError

    for function in (nothing, pair):
        _, problems = read(function)
        assert "must return one product" in problems[0]


def test_type_hints_that_do_not_resolve_are_a_problem_and_not_a_traceback() -> None:
    def lost(flour: Flour) -> NoSuchThing:  # type: ignore[name-defined]  # noqa: F821
        raise AssertionError

    _, problems = read(lost)

    assert problems == ["stage lost: its type hints do not resolve: name 'NoSuchThing' is not defined"]


def test_reuse_may_ask_only_services_that_the_stage_has() -> None:
    @stage(reuse=Reuse(world=lambda scanner: "x", still_true=lambda dough, oven: True))
    def prove(flour: Flour, oven: Oven) -> Dough:
        raise AssertionError

    _, problems = read(prove)

    assert problems == ["stage prove: world names scanner, which is no service of the stage"]


def test_all_problems_of_all_stages_are_told_at_once() -> None:
    with pytest.raises(PipelineError) as caught:
        assemble("bad", goal=Bread, seeds=[Flour], stages=[optional, a_text, untyped])

    assert caught.value.exit_code == 2
    assert [line.split(",")[0] for line in caught.value.details] == ["stage optional", "stage a_text", "stage untyped"]


def test_subclasses_are_other_products() -> None:
    step, _ = read(knead)

    class Rye(Flour):
        pass

    assert step is not None
    assert step.takes(Flour)
    assert not step.takes(Rye)
    assert not step.takes(Image)
    assert not step.takes(Weighing)
