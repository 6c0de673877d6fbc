"""The order that follows from the types: as levels, as a drawing for people, as JSON."""

from __future__ import annotations

from typing import Any

from shipper.pipeline.pipeline import Pipeline
from shipper.pipeline.signature import Step


def order(pipeline: Pipeline) -> list[list[str]]:
    """Levels of stage names: each stage stands in the first level in which all its ingredients are there."""
    needs = pipeline.needs()
    depth: dict[str, int] = {}
    left = [step.name for step in pipeline.steps]
    while left:
        for name in [name for name in left if all(other in depth for other in needs[name])]:
            depth[name] = 1 + max((depth[other] for other in needs[name]), default=-1)
            left.remove(name)
    levels: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for step in pipeline.steps:
        levels[depth[step.name]].append(step.name)
    return levels


def draw(pipeline: Pipeline) -> str:
    """One line per stage, level by level: its name, what it takes from other stages, what it makes."""
    needs = pipeline.needs()
    made = {step.name: step for step in pipeline.steps}
    width = max((len(step.name) for step in pipeline.steps), default=0)
    products = max((len(step.product.__name__) for step in pipeline.steps), default=0)
    lines = [f"{pipeline.name}: from {len(pipeline.seeds)} seeds to {pipeline.goal.__name__}", ""]
    for number, level in enumerate(order(pipeline), 1):
        for position, name in enumerate(level):
            mark = f"{number:>2} {_bracket(position, len(level))}"
            step = made[name]
            taken = ", ".join(needs[name]) or "seeds only"
            lines.append(f"{mark} {name:<{width}}  -> {step.product.__name__:<{products}}  <- {taken}{_notes(step)}")
    lines += ["", "Stages of one number have no order among themselves; each starts when what it takes is there."]
    return "\n".join(lines)


def as_data(pipeline: Pipeline) -> dict[str, Any]:
    """The same for programs."""
    needs = pipeline.needs()
    return {
        "name": pipeline.name,
        "goal": pipeline.goal.__name__,
        "seeds": [seed.__name__ for seed in pipeline.seeds],
        "order": order(pipeline),
        "stages": {
            step.name: {
                "makes": step.product.__name__,
                "takes": [product.__name__ for product in pipeline.inputs_of(step)],
                "needs": list(needs[step.name]),
                "services": {ingredient.name: ingredient.kind.__name__ for ingredient in step.services},
                "version": step.options.version,
                "reused": step.options.reuse is not None,
                "timeout": step.options.timeout,
            }
            for step in pipeline.steps
        },
    }


def _bracket(position: int, size: int) -> str:
    if size == 1:
        return "─"
    return "┌" if position == 0 else "└" if position == size - 1 else "├"


def _notes(step: Step) -> str:
    return "  (reused when nothing changed)" if step.options.reuse is not None else ""
