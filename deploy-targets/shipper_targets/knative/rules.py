"""Everything that Knative's webhooks, and the schema of its CRD, refuse of a Service. Pure.

Source: knative/serving v0.48 pkg/apis/serving (k8s_validation.go, fieldmask.go, metadata_validation.go) and its v1;
a test gives the same manifests to both. Nothing is asked here: what depends on the cluster is in `Cluster`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.durations import seconds_in
from shipper_targets.knative.kinds import AUTOSCALING
from shipper_targets.knative.rules_pod import pod_violations
from shipper_targets.knative.rules_scaling import scaling_violations
from shipper_targets.knative.violations import Path, Violation, is_label, not_of, outside, show_path, unknown, whole
from shipper_targets.kubernetes.amounts import exact
from shipper_targets.kubernetes.values import Object, mapping, name_of

TRAFFIC: Path = ("spec", "traffic")
TEMPLATE: Path = ("spec", "template")
ANNOTATIONS: Path = (*TEMPLATE, "metadata", "annotations")

_TARGET = ("revisionName", "latestRevision", "percent", "tag", "configurationName", "url")
_NETWORKING = (
    "networking.knative.dev/ingress-class", "networking.knative.dev/ingress.class",
    "networking.knative.dev/certificate-class", "networking.knative.dev/certificate.class",
    "networking.knative.dev/disable-auto-tls", "networking.knative.dev/disableAutoTLS",
    "networking.knative.dev/disable-external-domain-tls", "networking.knative.dev/http-protocol",
    "networking.knative.dev/httpOption",
)  # fmt: skip
_QUEUE = "queue.sidecar.serving.knative.dev/"
_SIDECAR = re.compile(re.escape(_QUEUE) + "(?:cpu|memory|ephemeral-storage)-resource-(?:request|limit)")
_DEADLINES = ("serving.knative.dev/progress-deadline", "serving.knative.dev/progressDeadline")


def violations(service: Object, cluster: Cluster) -> list[Violation]:
    """All of them, in the order of the manifest."""
    return [*_service(service), *_template(service, cluster), *_traffic(mapping(service, "spec").get("traffic"))]


def _service(service: Object) -> Iterator[Violation]:
    name = name_of(service)
    if not is_label(name):
        yield Violation(("metadata", "name"), f'"{name}" is no DNS label')
    annotations = mapping(service, "metadata", "annotations")
    for key in annotations:
        if key.startswith(AUTOSCALING):
            yield Violation(("metadata", "annotations", key), "belongs into the template's annotations")
    yield from _duration(("metadata", "annotations", "serving.knative.dev/rollout-duration"), annotations)
    yield from unknown(("spec",), mapping(service, "spec"), ("template", "traffic"), empty=False)


def _template(service: Object, cluster: Cluster) -> Iterator[Violation]:
    template = mapping(service, *_names(TEMPLATE))
    yield from unknown(TEMPLATE, template, ("metadata", "spec"), empty=False)
    metadata = mapping(template, "metadata")
    name = metadata.get("name")
    if name is not None and not is_label(name):
        yield Violation((*TEMPLATE, "metadata", "name"), f'"{name}" is no DNS label')
    elif name is not None and not str(name).startswith(f"{name_of(service)}-"):
        yield Violation((*TEMPLATE, "metadata", "name"), f'"{name}" does not begin with "{name_of(service)}-"')
    annotations = mapping(metadata, "annotations")
    for key, value in annotations.items():
        if not isinstance(value, str):
            yield Violation((*ANNOTATIONS, key), f"has to be a text, not {value!r}")
    texts = {key: value for key, value in annotations.items() if isinstance(value, str)}
    yield from scaling_violations(ANNOTATIONS, texts, cluster)
    for key in texts:
        if key.startswith("networking.knative.dev") and key not in _NETWORKING:
            yield Violation((*ANNOTATIONS, key), "Knative knows no such annotation")
        if key == f"{_QUEUE}resource-percentage":
            yield from _percentage((*ANNOTATIONS, key), texts[key])
        if _SIDECAR.fullmatch(key) and exact(texts[key]) is None:
            yield Violation((*ANNOTATIONS, key), f'"{texts[key]}" is no amount, such as "100m" or "64Mi"')
    for key in _DEADLINES:
        yield from _duration((*ANNOTATIONS, key), texts)
    yield from pod_violations((*TEMPLATE, "spec"), mapping(template, "spec"), cluster)


def _traffic(targets: Any) -> Iterator[Violation]:
    if targets is None:
        return
    if not isinstance(targets, list | tuple):
        yield from not_of(TRAFFIC, targets, "list")
        return
    tags: dict[str, int] = {}
    for at, target in enumerate(targets):
        path = (*TRAFFIC, at)
        yield from _target(path, target)
        tag = target.get("tag")
        if not tag:
            continue
        if not is_label(tag):
            yield Violation((*path, "tag"), f'"{tag}" is no DNS label')
        if tag in tags:
            yield Violation((*path, "tag"), f"{tag} is also the tag of {show_path((*TRAFFIC, tags[tag]))}")
        tags.setdefault(tag, at)
    percents = [one.get("percent") for one in targets]
    total = sum(percent for percent in percents if whole(percent) and isinstance(percent, int))
    if targets and total != 100:
        yield Violation(TRAFFIC, f"percents sum to {total}, not to 100")


def _target(path: Path, target: Object) -> Iterator[Violation]:
    yield from unknown(path, target, _TARGET, empty=False)
    for member in ("configurationName", "url"):
        if target.get(member):
            yield Violation((*path, member), "is not for a Service to say")
    name, latest = target.get("revisionName") or "", target.get("latestRevision")
    yield from not_of((*path, "revisionName"), target.get("revisionName"), "text")
    yield from not_of((*path, "latestRevision"), latest, "truth")
    yield from not_of((*path, "tag"), target.get("tag"), "text")
    yield from not_of((*path, "percent"), target.get("percent"), "number")
    yield from outside((*path, "percent"), target.get("percent"), 0, 100)
    if isinstance(latest, bool) and bool(name) == latest:
        yield Violation((*path, "latestRevision"), f'is {str(latest).lower()} beside revisionName "{name}"')


def _duration(path: Path, annotations: Object) -> Iterator[Violation]:
    text = annotations.get(path[-1]) if isinstance(path[-1], str) else None
    if not isinstance(text, str) or not text:
        return
    seconds = seconds_in(text)
    if seconds is None:
        yield Violation(path, f'"{text}" is no duration, such as "90s"')
    elif seconds < 0 or seconds != round(seconds):
        yield Violation(path, f"{text} is not in whole seconds, 0 or more")


def _percentage(path: Path, text: str) -> Iterator[Violation]:
    try:
        fits = 0.1 <= float(text) <= 100
    except ValueError:
        fits = False
    if not fits:
        yield Violation(path, f"{text} is not between 0.1 and 100")


def _names(path: Path) -> tuple[str, ...]:
    return tuple(str(part) for part in path)
