"""Update masks: every path is checked against the message's own description.

The API passes over a path that it does not know, and then overwrites everything that the mask should have kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.field_mask_pb2 import FieldMask


def mask_of(paths: Sequence[str]) -> FieldMask:
    """A mask of a Service. Raises ValueError for a path that Service does not have: that is a bug of ours."""
    from google.protobuf.field_mask_pb2 import FieldMask

    if not paths or (unknown := [path for path in paths if not is_field(path)]):
        raise ValueError(f"not fields of a Cloud Run service: {unknown if paths else 'nothing at all'}")
    return FieldMask(paths=list(paths))


@cache
def is_field(path: str) -> bool:
    """Whether a Service has a field `path`, such as "scaling.min_instance_count"."""
    from google.cloud import run_v2

    message = run_v2.Service.pb(run_v2.Service()).DESCRIPTOR
    for part in path.split("."):
        if message is None or part not in message.fields_by_name:
            return False
        field = message.fields_by_name[part]
        message = None if field.is_repeated else field.message_type
    return True
