"""New pods when their configuration changes: a hash of it in their template. Pure.

A Deployment does not notice that a ConfigMap or Secret of the same set has another content under the same name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from shipper_targets.kubernetes.labels import CONFIG
from shipper_targets.kubernetes.pod_templates import RESTARTED, referred, template_in

_CONTENT = ("data", "binaryData", "stringData")


def with_config_hash(bodies: Sequence[dict[str, Any]]) -> None:
    """Annotate the templates of these objects, in place, with a hash of what they read of these objects."""
    held = {
        (str(body["kind"]), str(body["metadata"]["name"])): body
        for body in bodies
        if body["kind"] in ("ConfigMap", "Secret")
    }
    for body in bodies:
        template = template_in(body) if body["kind"] in RESTARTED else None
        if template is None or not isinstance(template, dict):
            continue
        used = sorted(referred(template) & held.keys())
        if used:
            _annotate(template, _hash([held[key] for key in used]))


def _annotate(template: dict[str, Any], digest: str) -> None:
    metadata = template.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), CONFIG: digest}
    template["metadata"] = {**metadata, "annotations": annotations}


def _hash(bodies: Sequence[Mapping[str, Any]]) -> str:
    content = [[body["kind"], body["metadata"]["name"], *(body.get(name) for name in _CONTENT)] for body in bodies]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
