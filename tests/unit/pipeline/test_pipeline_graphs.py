"""One producer or seed per product, no cycle, nothing useless: checked when a pipeline is put together."""

from __future__ import annotations

import pytest

from shipper.errors import PipelineError, UsageError
from shipper.model import Evidence, Order
from shipper.model.all import All
from shipper.pipeline import as_data, assemble, draw, load, names, order, parse
from tests.unit.pipeline.kitchen import Bread, Dough, Flour, Tasting, Water, Weighing

pytestmark = pytest.mark.unit


def knead(flour: Flour, water: Water) -> Dough:
    return Dough(grams=1)


def weigh(dough: Dough) -> Weighing:
    raise AssertionError


def taste(bread: Bread) -> Tasting:
    raise AssertionError


def bake(dough: Dough, evidence: All[Evidence]) -> Bread:
    raise AssertionError


def need_bread(bread: Bread) -> Dough:
    raise AssertionError


def plain_bake(dough: Dough) -> Bread:
    raise AssertionError


def test_a_good_pipeline_knows_its_order() -> None:
    pipeline = assemble("bread", goal=Bread, seeds=[Flour, Water], stages=[bake, weigh, knead])

    assert order(pipeline) == [["knead"], ["weigh"], ["bake"]]


def test_what_all_collects_contributes_to_the_goal() -> None:
    pipeline = assemble("bread", goal=Bread, seeds=[Flour, Water], stages=[knead, weigh, bake])

    assert pipeline.needs()["bake"] == ("knead", "weigh")


def problems_of(*stages: object, seeds: tuple[type, ...] = (Flour, Water), goal: type = Bread) -> list[str]:
    with pytest.raises(PipelineError) as caught:
        assemble("bad", goal=goal, seeds=seeds, stages=stages)  # type: ignore[arg-type]
    return list(caught.value.details)


def test_a_missing_producer_is_named_with_the_parameter() -> None:
    assert problems_of(knead, plain_bake, seeds=(Flour,)) == [
        "stage knead, parameter water: nothing makes Water, and it is no seed"
    ]


def test_a_missing_goal() -> None:
    assert "nothing makes the goal Bread" in problems_of(knead)


def test_two_producers_of_one_product() -> None:
    def knead_again(flour: Flour) -> Dough:
        raise AssertionError

    assert problems_of(knead, knead_again, plain_bake) == [
        "Dough is made by stage knead and stage knead_again; each product has one producer"
    ]


def test_a_seed_that_a_stage_makes_too() -> None:
    assert "Dough is made by the seeds and stage knead; each product has one producer" in problems_of(
        knead, plain_bake, seeds=(Flour, Water, Dough)
    )


def test_a_cycle_is_shown_as_a_path() -> None:
    assert problems_of(need_bread, plain_bake) == ["stages need each other: need_bread -> plain_bake -> need_bread"]


def test_a_stage_that_collects_its_own_product_is_a_cycle() -> None:
    def audit(evidence: All[Evidence]) -> Weighing:
        raise AssertionError

    assert problems_of(audit, goal=Weighing) == ["stages need each other: audit -> audit"]


def test_a_stage_that_contributes_nothing_to_the_goal() -> None:
    assert problems_of(knead, plain_bake, taste) == ["stage taste contributes nothing to the goal Bread"]


def test_the_same_stage_twice() -> None:
    assert "two stages are named knead" in problems_of(knead, knead, plain_bake)


def test_several_problems_are_told_at_once() -> None:
    def other_bake(dough: Dough) -> Bread:
        raise AssertionError

    assert len(problems_of(plain_bake, other_bake, knead, seeds=(Flour,))) == 2


def test_every_pipeline_that_comes_with_shipper_loads() -> None:
    assert "release" in names()
    for name in names():
        assert load(name).name == name


def test_the_release_pipeline_has_the_order_of_the_design() -> None:
    levels = order(load("release"))
    place = {stage: number for number, level in enumerate(levels) for stage in level}

    assert place["source"] == place["preflight"] == 0
    assert place["lint"] == place["scan_source"] == place["build"] == 1
    assert place["scan"] == place["smoke"] == place["size"] == 2
    assert [level for level in levels if level[0] in ("gate", "publish", "rollout", "seal")] == [
        ["gate"],
        ["publish"],
        ["rollout"],
        ["seal"],
    ]


def test_publishing_is_a_release_up_to_the_image_in_its_registry() -> None:
    release, publish = load("release"), load("publish")
    rollout = release.step("rollout")

    assert publish.goal in release.inputs_of(rollout), "what a rollout deploys"
    assert order(publish) == order(release)[:-2]
    assert set(publish.seeds) == set(release.seeds) - {Order}
    asks = {step.name for step in publish.steps for one in step.services if one.name in ("ledger", "clock")}
    assert asks == set(), "no record of a release, and no lease"


def test_an_image_that_is_published_is_judged_as_one_that_is_released() -> None:
    release, publish = load("release_image"), load("publish_image")

    assert publish.goal is load("publish").goal
    assert order(publish) == order(release)[:-2]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        load("relaese")

    assert "release" in caught.value.hint


GOOD = 'name = "x"\ngoal = "shipper.model:Image"\nseeds = ["shipper.model:Image"]\nstages = []\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = ", "is not valid TOML"),
        (GOOD + 'order = ["x"]', '"order" is no key of a pipeline'),
        (GOOD.replace("stages = []", "stages = [1]"), '"stages" must be a list of texts'),
        (GOOD.replace('name = "x"', "name = 1"), '"name" must be a text'),
        (GOOD.replace("stages = []", 'stages = ["shipper.stages"]'), 'is not "module:name"'),
        (GOOD.replace("stages = []", 'stages = ["no.such:thing"]'), "cannot be imported"),
        (GOOD.replace("stages = []", 'stages = ["shipper.errors:nope"]'), "shipper.errors has no nope"),
        (GOOD.replace("stages = []", 'stages = ["shipper.model:Image"]'), "is no function"),
        (GOOD.replace("shipper.model:Image", "shipper.errors:BuildError"), "is no product"),
    ],
)
def test_a_broken_file_is_explained(text: str, problem: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse(text, "x.toml")

    assert problem in " ".join([caught.value.message, *caught.value.details])


def test_a_drawing_names_every_stage_once_with_what_it_takes_and_makes() -> None:
    drawing = draw(load("release"))

    for step in load("release").steps:
        (line,) = [line for line in drawing.splitlines() if f" {step.name} " in line.partition("->")[0]]
        assert step.product.__name__ in line
    assert all(len(line) <= 100 for line in drawing.splitlines())


def test_the_same_as_data() -> None:
    data = as_data(load("release"))

    assert data["goal"] == "Sealed"
    assert data["stages"]["build"]["needs"] == ["source", "preflight"]
    assert data["stages"]["build"]["services"]["engine"] == "Engine"
    assert data["stages"]["rollout"]["reused"] is False
