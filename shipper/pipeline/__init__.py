"""The engine: order from types, threads, cancellation; the journal; events on their way to sinks.

A stage imports `shipper.pipeline.stage` and nothing else of this room.
"""

from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.clock import WallClock
from shipper.pipeline.drawing import as_data, draw, order
from shipper.pipeline.engine import run
from shipper.pipeline.events import Events, Sink
from shipper.pipeline.journal import Journal
from shipper.pipeline.loading import load, names, parse
from shipper.pipeline.pipeline import Pipeline, assemble, check
from shipper.pipeline.reporter import StageReporter
from shipper.pipeline.signals import install_signals

__all__ = [
    "Events",
    "Journal",
    "Pipeline",
    "RunCancellation",
    "Sink",
    "StageReporter",
    "WallClock",
    "as_data",
    "assemble",
    "check",
    "draw",
    "install_signals",
    "load",
    "names",
    "order",
    "parse",
    "run",
]
