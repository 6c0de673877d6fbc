"""Everything that is refused at the door: each rule of limits_*.py on one service, all violations in one error.

The shape of a refusal is that of hashicorp/terraform-provider-google#14700: INVALID_ARGUMENT, "field: description" of
the first violation, and a google.rpc.BadRequest with all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.cloud import run_v2

from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.limits_metadata import metadata_violations
from tests.rig.google.cloudrun.limits_scaling import scaling_violations
from tests.rig.google.cloudrun.limits_template import template_violations
from tests.rig.google.cloudrun.limits_traffic import traffic_violations

Violation = tuple[str, str]


def check_service(service: run_v2.Service, service_id: str) -> None:
    """Raise INVALID_ARGUMENT when any rule is broken. `service` has its defaults filled in."""
    found = list(_violations(service, service_id))
    if found:
        field, problem = found[0]
        shown = [{"field": path, "description": words} for path, words in found]
        detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": shown}
        raise ApiError("INVALID_ARGUMENT", f"{field}: {problem}", [detail])


def _violations(service: run_v2.Service, service_id: str) -> Iterator[Violation]:
    # Service.description: "This field currently has a 512-character limit."
    if len(service.description) > 512:
        yield "description", "must be at most 512 characters"
    yield from metadata_violations("", dict(service.labels), dict(service.annotations))
    yield from scaling_violations(service)
    yield from template_violations(service.template, service_id)
    yield from traffic_violations(service, service_id)
