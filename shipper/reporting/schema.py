"""The JSON Schema of `--json` lines and of the run log: one event per line."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from shipper.model import event as events

AnyEvent = Annotated[
    events.RunStarted
    | events.StageStarted
    | events.StageProgress
    | events.StageLog
    | events.StageFinished
    | events.EvidenceFound
    | events.TrafficShifted
    | events.GateJudged
    | events.Remark
    | events.RunFinished,
    Field(discriminator="event"),
]


def events_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of any event, chosen by its member `event`."""
    schema = _adapter().json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "shipper event",
        "description": "One line of `shipper release --json` and of the run log. Readers ignore unknown members.",
        **schema,
    }


def parse_event(line: str | bytes) -> events.Event:
    """The event of one line. Raises ValueError."""
    event: events.Event = _adapter().validate_json(line)
    return event


def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(AnyEvent)
