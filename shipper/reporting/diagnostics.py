"""`-v`: what shipper itself does, on stderr, with run, service and stage. For finding out why, not for results."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

from shipper.model.event import Event, RunStarted

ROOT = "shipper"


class Diagnostics:
    """A sink: binds run and service to every line that follows. Writes nothing itself."""

    name = "diagnostics"

    def __call__(self, event: Event) -> None:
        """Called in the main thread for the first event; the stages' threads inherit what is bound."""
        if isinstance(event, RunStarted):
            import structlog

            structlog.contextvars.bind_contextvars(run=event.run, service=event.service)

    def close(self) -> None:
        """Unbind."""
        import structlog

        structlog.contextvars.unbind_contextvars("run", "service")


def set_up(verbose: int, stream: TextIO | None = None) -> None:
    """Route the standard library's logging of our modules through structlog. 1: INFO, 2 and more: DEBUG."""
    import structlog

    stream = stream or sys.stderr
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _with_stage,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=stream.isatty()),
            ],
        )
    )
    logger = logging.getLogger(ROOT)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)


def _with_stage(logger: Any, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The stage that this thread works for."""
    from shipper.pipeline.reporter import current_stage

    stage = current_stage.get()
    if stage:
        fields["stage"] = stage
    return fields
