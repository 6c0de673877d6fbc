"""Update masks as the real service treats them.

A known path merges that field over the stored service. An unknown path (camelCase in gRPC, a misspelling, a key of a
map) is silently ignored; with no known path left the sparse body is applied wholesale. Based on
googleapis/google-cloud-python#14259 and temporalio's auto-scaled-workers#77, where exactly that happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.cloud import run_v2
from google.protobuf import field_mask_pb2


def known(path: str) -> bool:
    """Whether a path leads to a field of Service. Nothing can be addressed inside lists and maps."""
    descriptor: Any = run_v2.Service.pb(run_v2.Service()).DESCRIPTOR
    repeated = False
    for part in path.split("."):
        if descriptor is None or repeated or part not in descriptor.fields_by_name:
            return False
        found = descriptor.fields_by_name[part]
        repeated = found.is_repeated
        descriptor = found.message_type
    return True


def merged(stored: run_v2.Service, sent: run_v2.Service, mask: Sequence[str]) -> run_v2.Service:
    """The service that an update asks for: the stored one with the masked fields, or what was sent, wholesale."""
    paths = [path for path in mask if known(path)]
    if not paths:
        return run_v2.Service(sent)
    result = run_v2.Service(stored)
    raw_result, raw_sent = run_v2.Service.pb(result), run_v2.Service.pb(sent)
    for path in paths:
        if not _given(raw_sent, path):
            _clear(raw_result, path)
            continue
        one = field_mask_pb2.FieldMask(paths=[path])
        one.MergeMessage(raw_sent, raw_result, replace_message_field=True, replace_repeated_field=True)
    return result


def _given(message: Any, path: str) -> bool:
    """Whether every message on the way to the field is there: an absent one means that the field is cleared."""
    *way, last = path.split(".")
    for part in way:
        if not message.HasField(part):
            return False
        message = getattr(message, part)
    return not message.DESCRIPTOR.fields_by_name[last].has_presence or bool(message.HasField(last))


def _clear(message: Any, path: str) -> None:
    *way, last = path.split(".")
    for part in way:
        if not message.HasField(part):
            return
        message = getattr(message, part)
    message.ClearField(last)
