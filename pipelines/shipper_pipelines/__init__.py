"""The pipelines as data: seeds, stages and a goal. Order and parallelism follow from the stages' types."""
