"""The pod of a revision: one container by digest, tight unless settings loosen it, within what Knative allows. Pure.

Everything about security is said of the container: Knative refuses a pod's securityContext, node selector, tolerations
and the like unless the cluster's config-features allows them, so they are there only when they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from shipper.model import HealthSettings, Release, RunSettings
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.pod import (
    container_security,
    literal,
    resources_of,
    runs_as,
    secret_variables,
    wishes,
)
from shipper_targets.kubernetes.probes import LIVE_FAILURES, LIVE_PERIOD, start_budget
from shipper_targets.kubernetes.quantities import seconds_of
from shipper_targets.kubernetes.volumes import Mounted, mounted

ANYBODY_MAY_READ = 0o444
"""Of secret files: without a group of the pod's own (fsGroup) its user could not read them otherwise. Nobody else is
in the container."""

READY_PERIOD, READY_FAILURES = 1, 5
"""Every second: a cold start waits for the first good answer. Some in a row have to be bad: one pause is no failure."""


def pod_of(release: Release, own: KnativeSettings) -> dict[str, Any]:
    """The RevisionSpec. Raises Invalid for a secret's version that is none of Kubernetes'."""
    inside = _mounted(release, own)
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [_container(release, own, inside)],
    }
    if own.service_account is not None:
        spec["serviceAccountName"] = own.service_account
    if own.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in own.image_pull_secrets]
    if inside.volumes:
        spec["volumes"] = inside.volumes
    if own.security.group is not None:
        spec["securityContext"] = {"fsGroup": own.security.group}
    if release.settings.scale.concurrency is not None:
        spec["containerConcurrency"] = release.settings.scale.concurrency
    if own.timeout is not None:
        spec["timeoutSeconds"] = seconds_of(own.timeout)
    return {**spec, **_placement(own)}


def probes_of(health: HealthSettings, port: int, started_in: float | None) -> dict[str, Any]:
    """A start-up probe that is patient while a model loads; then readiness, which Knative's own proxy asks."""
    timeout = seconds_of(health.timeout)
    budget = start_budget(health.startup, started_in)
    period = min(10, max(1, budget // 60))
    probes = {
        "startupProbe": _probe(health.path, port, timeout, period, math.ceil(budget / period)),
        "readinessProbe": _probe(health.path, port, timeout, READY_PERIOD, READY_FAILURES),
    }
    if health.liveness is not None:
        probes["livenessProbe"] = _probe(health.liveness, port, timeout, max(LIVE_PERIOD, timeout), LIVE_FAILURES)
    return probes


def _container(release: Release, own: KnativeSettings, inside: Mounted) -> dict[str, Any]:
    """`[run] command` replaces the image's CMD, as everywhere; its ENTRYPOINT stays. PORT is Knative's."""
    settings = release.settings
    run = settings.run
    port: dict[str, Any] = {"containerPort": run.port, "protocol": "TCP"}
    container: dict[str, Any] = {
        "image": release.main.reference,
        "ports": [{"name": "h2c", **port} if own.http2 else port],
        **probes_of(settings.health, run.port, release.started_in),
        "securityContext": {**container_security(own.security), **runs_as(settings.run, own.cluster)},
    }
    if run.command is not None:
        container["args"] = [literal(word) for word in run.command]
    if env := _environment(run, release.secret_versions):
        container["env"] = env
    if resources := resources_of(settings, own.cluster):
        container["resources"] = resources
    if inside.mounts:
        container["volumeMounts"] = inside.mounts
    return container


def _environment(run: RunSettings, versions: Mapping[str, str]) -> list[dict[str, Any]]:
    """By name, so that the same release is the same text."""
    made = [{"name": name, "value": literal(value)} for name, value in sorted(run.env.items())]
    return [*made, *secret_variables(run, versions)]


def _mounted(release: Release, own: KnativeSettings) -> Mounted:
    """As on Kubernetes, but for the mode of secret files where the pod has no group."""
    found = mounted(release.settings, own.cluster, release.secret_versions)
    if own.security.group is not None:
        return found
    return Mounted([_readable(volume) for volume in found.volumes], found.mounts)


def _readable(volume: Mapping[str, Any]) -> dict[str, Any]:
    if volume["name"] != "secrets":
        return dict(volume)
    return {**volume, "projected": {**volume["projected"], "defaultMode": ANYBODY_MAY_READ}}


def _placement(own: KnativeSettings) -> dict[str, Any]:
    nodes = {"nodeSelector": dict(sorted(own.node_selector.items()))} if own.node_selector else {}
    return {**nodes, **wishes(own.cluster)}


def _probe(path: str, port: int, timeout: int, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "timeoutSeconds": timeout,
        "periodSeconds": period,
        "successThreshold": 1,
        "failureThreshold": failures,
    }
