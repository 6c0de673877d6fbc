"""Sinks: everything that is shown or kept of a run, made from its events and from nothing else."""

from __future__ import annotations

from shipper.reporting.exit_codes import exit_codes_table, meaning_of
from shipper.reporting.schema import events_schema, parse_event
from shipper.reporting.sinks import open_sinks

__all__ = ["events_schema", "exit_codes_table", "meaning_of", "open_sinks", "parse_event"]
