"""pipeline show: the order that follows from the stages' types."""

from __future__ import annotations

from shipper.model.shown import DescribedPipeline
from shipper.pipeline import draw, load, order


def describe(name: str) -> DescribedPipeline:
    """Raises PipelineError (2) when there is no such pipeline or something is wrong with it."""
    pipeline = load(name)
    return DescribedPipeline(
        name=pipeline.name,
        goal=pipeline.goal.__name__,
        seeds=tuple(seed.__name__ for seed in pipeline.seeds),
        levels=tuple(tuple(level) for level in order(pipeline)),
        drawing=draw(pipeline),
    )
