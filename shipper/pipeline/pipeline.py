"""A pipeline: seeds, stages and a goal. The order is derived; everything that is wrong is said at load, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shipper.errors import PipelineError
from shipper.model.noun import Product
from shipper.pipeline.signature import Step, read


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that was checked. Make one with `assemble` or `load`."""

    name: str
    goal: type[Product]
    seeds: tuple[type[Product], ...]
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """The stage of that name. Raises KeyError."""
        return {step.name: step for step in self.steps}[name]

    def inputs_of(self, step: Step) -> tuple[type[Product], ...]:
        """Every product that goes into `step`, in the pipeline's own order: seeds first, then stages as listed."""
        everything = (*self.seeds, *(other.product for other in self.steps))
        return tuple(product for product in everything if step.takes(product))

    def needs(self) -> dict[str, tuple[str, ...]]:
        """Stage name to the names of the stages whose products it takes."""
        makers = {step.product: step.name for step in self.steps}
        return {
            step.name: tuple(makers[product] for product in self.inputs_of(step) if product in makers)
            for step in self.steps
        }


def assemble(
    name: str,
    *,
    goal: type[Product],
    seeds: Sequence[type[Product]],
    stages: Sequence[Callable[..., Any]],
) -> Pipeline:
    """A checked pipeline. Raises PipelineError with every problem in `details`."""
    steps: list[Step] = []
    problems: list[str] = []
    for function in stages:
        step, found = read(function)
        problems += found
        if step is not None:
            steps.append(step)
    pipeline = Pipeline(name, goal, tuple(seeds), tuple(steps))
    # The graph of stages that could not be read would only add noise.
    problems = problems or graph_problems(pipeline)
    if problems:
        raise pipeline_error(name, problems)
    return pipeline


def check(pipeline: Pipeline) -> None:
    """Raises PipelineError with every problem of the graph in `details`."""
    problems = graph_problems(pipeline)
    if problems:
        raise pipeline_error(pipeline.name, problems)


def pipeline_error(name: str, problems: Sequence[str]) -> PipelineError:
    """One error for all problems of a pipeline."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return PipelineError(
        f"pipeline {name} cannot run: {problems[0] if len(problems) == 1 else count}",
        hint="see docs/architecture.md, section 4: what a stage may take and return",
        details=problems,
    )


def graph_problems(pipeline: Pipeline) -> list[str]:
    """Everything that is wrong with how the stages fit together, one line per problem."""
    problems = [*_named_twice(pipeline), *_made_twice(pipeline), *_missing(pipeline), *_cycles(pipeline)]
    return problems or _useless(pipeline)


def _named_twice(pipeline: Pipeline) -> Iterable[str]:
    names = [step.name for step in pipeline.steps]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two stages are named {name}"


def _made_twice(pipeline: Pipeline) -> Iterable[str]:
    for seed in sorted({seed.__name__ for seed in pipeline.seeds if pipeline.seeds.count(seed) > 1}):
        yield f"{seed} is a seed twice"
    makers: dict[type[Product], list[str]] = {seed: ["the seeds"] for seed in pipeline.seeds}
    for step in pipeline.steps:
        makers.setdefault(step.product, []).append(f"stage {step.name}")
    for product, names in makers.items():
        if len(names) > 1:
            yield f"{product.__name__} is made by {' and '.join(names)}; each product has one producer"


def _missing(pipeline: Pipeline) -> Iterable[str]:
    known = {*pipeline.seeds, *(step.product for step in pipeline.steps)}
    for step in pipeline.steps:
        for ingredient in step.ingredients:
            if ingredient.role == "product" and ingredient.kind not in known:
                yield (
                    f"stage {step.name}, parameter {ingredient.name}: "
                    f"nothing makes {ingredient.kind.__name__}, and it is no seed"
                )
    if pipeline.goal not in known:
        yield f"nothing makes the goal {pipeline.goal.__name__}"


def _cycles(pipeline: Pipeline) -> Iterable[str]:
    """One line per cycle that is found by removing whatever can run until nothing can."""
    needs = {name: set(others) for name, others in pipeline.needs().items()}
    while ready := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in ready:
            del needs[name]
    while needs:
        path = _walk(needs)
        yield f"stages need each other: {' -> '.join(path)}"
        for name in path:
            needs.pop(name, None)
        while idle := [name for name, others in needs.items() if not others & needs.keys()]:
            for name in idle:
                del needs[name]


def _walk(needs: dict[str, set[str]]) -> list[str]:
    """From any stage backwards until one is met again."""
    path = [min(needs)]
    while path.count(path[-1]) == 1:
        path.append(min(needs[path[-1]] & needs.keys()))
    return path[path.index(path[-1]) :]


def _useless(pipeline: Pipeline) -> list[str]:
    """Stages whose product does not reach the goal."""
    needs = pipeline.needs()
    wanted = [step.name for step in pipeline.steps if step.product is pipeline.goal]
    useful: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in useful:
            useful.add(name)
            wanted += needs[name]
    return [
        f"stage {step.name} contributes nothing to the goal {pipeline.goal.__name__}"
        for step in pipeline.steps
        if step.name not in useful
    ]
