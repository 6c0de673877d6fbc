"""What of own manifests we read ourselves has to be what Kubernetes means by it. Pure.

The API server would refuse the same, later and without the line; a member that is not text also with its value, which
may be a secret.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shipper_targets.kubernetes.pod_templates import RESTARTED, Path
from shipper_targets.kubernetes.values import at

Misshapen = tuple[Path, str]
"""Where it stands in an object, and what is expected there."""

_PERCENT = re.compile(r"[0-9]+%")
_TEXTS = ("data", "stringData", "binaryData")


def misshapen(body: Mapping[str, Any]) -> Iterator[Misshapen]:
    """What is wrong in one object. Values are not told."""
    kind, version = body["kind"], body["apiVersion"]
    if kind in ("Secret", "ConfigMap") and version == "v1":
        for member in _TEXTS:
            yield from _texts(body, (member,))
        yield from _encoded(body, "data" if kind == "Secret" else "binaryData")
    if kind in RESTARTED:  # whose template gets a hash of its configuration
        for member in ("annotations", "labels"):
            yield from _texts(body, ("spec", "template", "metadata", member))
    if kind == "Deployment" and version.startswith("apps/"):
        yield from _of_deployment(body)
    if kind == "HorizontalPodAutoscaler" and version.startswith("autoscaling/"):
        yield from _unless(_is_count, body, ("spec", "minReplicas"), "a whole number")


def _of_deployment(body: Mapping[str, Any]) -> Iterator[Misshapen]:
    containers = ("spec", "template", "spec", "containers")
    found = at(body, *containers)
    if not isinstance(found, list) or not found or not all(isinstance(one, Mapping) for one in found):
        yield containers, "a list of containers"
    yield from _unless(_is_count, body, ("spec", "replicas"), "a whole number")
    for member in ("maxSurge", "maxUnavailable"):
        path = ("spec", "strategy", "rollingUpdate", member)
        yield from _unless(_is_share, body, path, 'a whole number, or a percentage such as "25%"')


def _texts(body: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Misshapen]:
    """Every member on the way an object, and everything in the last one text; any may be missing."""
    for length in range(1, len(path) + 1):
        found = at(body, *path[:length])
        if found is not None and not isinstance(found, Mapping):
            yield path[:length], "an object"
            return
    for name, value in (at(body, *path) or {}).items():
        if value is not None and not isinstance(value, str):
            yield (*path, name), "text: put it in quotes"


def _encoded(body: Mapping[str, Any], member: str) -> Iterator[Misshapen]:
    """Bytes in base64, with line breaks where somebody likes them (Go's encoding/json)."""
    found = at(body, member)
    for name, value in found.items() if isinstance(found, Mapping) else ():
        if isinstance(value, str) and not _is_base64(value.replace("\r", "").replace("\n", "")):
            instead = "stringData" if member == "data" else "data"
            yield (member, name), f"base64: what is plain text belongs into {instead}"


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:  # not ASCII, another alphabet, a wrong length
        return False
    return True


def _unless(
    is_right: Callable[[Any], bool], body: Mapping[str, Any], path: tuple[str, ...], wanted: str
) -> Iterator[Misshapen]:
    found = at(body, *path)
    if found is not None and not is_right(found):
        yield path, wanted


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, str) and _PERCENT.fullmatch(value) is not None)
