"""Conditions as Knative writes them (pure): True, False or Unknown, reasons in CamelCase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.rig.google.cloudrun.v1_annotations import Json

_STATUS = {"CONDITION_SUCCEEDED": "True", "CONDITION_FAILED": "False"}
_SEVERITY = {"WARNING": "Warning", "INFO": "Info"}  # an error has none: gcloud takes "" for the terminal kind


def condition_to_v1(v2: Mapping[str, Any]) -> Json:
    """One condition of v2's JSON form."""
    v1 = {"type": v2["type"], "status": _STATUS.get(v2.get("state", ""), "Unknown")}
    reason = v2.get("reason") or v2.get("revisionReason") or v2.get("executionReason")
    if reason:
        v1["reason"] = "".join(part.capitalize() for part in reason.split("_"))
    further = {
        "message": v2.get("message"),
        "severity": _SEVERITY.get(v2.get("severity", "")),
        "lastTransitionTime": v2.get("lastTransitionTime"),
    }
    return {**v1, **{name: value for name, value in further.items() if value}}
