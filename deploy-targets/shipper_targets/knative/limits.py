"""What Knative cannot do, and its limits: every problem of a configuration at once. Pure.

The manifest that would be written is judged by the rules of Knative's own webhooks, and what they refuse is told with
the key of shipper.toml that it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipper.model import Problem, Release, Settings
from shipper.targets import Invalid
from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.kinds import GROUP, VISIBILITY
from shipper_targets.knative.names import tag_of
from shipper_targets.knative.render import service_of
from shipper_targets.knative.rules import violations
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.traffic import targets
from shipper_targets.knative.violations import Path, Violation, show_path
from shipper_targets.kubernetes.limits import authorized_requests, gate_remarks, reserved_names
from shipper_targets.kubernetes.limits_pod import pod_problems, pod_remarks, problem
from shipper_targets.kubernetes.refusals import admission_hint, paths_in

LEAST_HEALTHY, MOST_HEALTHY = 200, 399
_HIGHEST = 9_999_999

_ANNOTATION = r"spec\.template\.metadata\.annotations\."
_SCALING = rf"{_ANNOTATION}autoscaling\.knative\.dev/"
_POD = r"spec\.template\.spec\."
_CONTAINER = rf"{_POD}containers\[0\]\."
_KEYS = (
    (rf"{_SCALING}min-scale", "scale.min"),
    (rf"{_SCALING}max-scale", "scale.max"),
    (rf"{_SCALING}class", "targets.autoscale.by"),
    (rf"{_SCALING}scale-down-delay", "targets.autoscale.scale_down_delay"),
    (rf"{_SCALING}scale-to-zero.*", "targets.autoscale.keep_last"),
    (rf"{_SCALING}target-utilization.*", "targets.autoscale.utilization"),
    (rf"{_SCALING}target-burst.*", "targets.autoscale.burst"),
    (rf"{_SCALING}panic-(window|threshold).*", r"targets.autoscale.panic_\1"),
    (rf"{_SCALING}(initial|activation)-scale", r"targets.autoscale.\1"),
    (rf"{_SCALING}(\w+)", r"targets.autoscale.\1"),
    (rf"{_ANNOTATION}.*/progress-deadline", "rollout.timeout"),
    (rf"{_ANNOTATION}.*", "targets.annotations"),
    (rf"{_POD}containerConcurrency", "scale.concurrency"),
    (rf"{_POD}timeoutSeconds", "targets.timeout"),
    (rf"{_POD}nodeSelector", "targets.node_selector"),
    (rf"{_POD}tolerations", "targets.tolerations"),
    (rf"{_POD}runtimeClassName", "targets.runtime_class"),
    (rf"{_POD}priorityClassName", "targets.priority_class"),
    (rf"{_POD}serviceAccountName", "targets.service_account"),
    (rf"{_POD}securityContext.*", "targets.security.group"),
    (rf"{_POD}volumes.*", "run.volumes"),
    (rf"{_CONTAINER}volumeMounts.*", "run.volumes"),
    (rf"{_CONTAINER}ports.*", "run.port"),
    (rf"{_CONTAINER}image", "image.repository"),
    (rf"{_CONTAINER}securityContext\.capabilities.*", "targets.security.capabilities"),
    (rf"{_CONTAINER}securityContext\.runAs.*", "run.user"),
    (rf"{_CONTAINER}env.*", "run.env"),
    (rf"{_CONTAINER}\w+Probe.*", "health"),
    (r"metadata\.name", "targets.name"),
    (r"spec\.template\.metadata\.name", "targets.name"),
)
"""Where in the manifest a setting ends up; the first one that fits."""

_HINTS = {
    "run.port": "choose another port; the service gets it as PORT",
    "run.env": "leave it out: Knative sets it, PORT from [run] port",
    "scale.min": "raise max, or lower min",
    "scale.max": "ask for less, or have the cluster's limit raised (config-autoscaler)",
    "scale.concurrency": "ask for less, or have the cluster's limit raised (config-defaults)",
    "targets.timeout": "ask for less, or have the cluster's limit raised (config-defaults)",
    "run.volumes": "mount it somewhere else, or have the feature enabled (config-features)",
    "targets.security.capabilities": "listen on a port above 1023, or have the feature enabled (config-features)",
    "targets.security.group": "leave it out: secret files are readable without it; or have the feature enabled",
    "image.repository": "write it as HOST/PATH",
    "rollout.timeout": "whole seconds, such as 90",
}


def limit_problems(release: Release, own: KnativeSettings, service: str, cluster: Cluster) -> list[Problem]:
    """All of them; nothing is asked. `release`: as it would be, with any image."""
    found = [
        *pod_problems(release.settings, own.cluster),
        *_target(release.settings, own),
        *_configuration(release.settings, own),
    ]
    if found:
        return found  # what cannot be rendered cannot be judged, and would be told twice
    return [*found, *_refused(release, own, service, cluster)]


def remarks_of(settings: Settings, own: KnativeSettings) -> list[str]:
    """What is asked for and does not hold on Knative, and is no reason to refuse."""
    told = [*pod_remarks(settings, own.cluster), *gate_remarks(settings)]
    if "stop_grace" in settings.run.model_fields_set:
        told.append("run.stop_grace does not hold: an instance has as long to end as a request may take (timeout)")
    if settings.health.json_ is not None:
        told.append("health.json is asked by the smoke test and the proof; Knative's probes look at the status only")
    if settings.scale.min is None and settings.run.gpu:
        told.append("without [scale] min a GPU instance starts with the first request: model loading is in its time")
    if own.address is None and not own.inside_only:
        told += [
            f"{one.key}: where the service's host name does not lead there from here its pods are asked, through the "
            "API server, which passes no Authorization on: set address"
            for one in authorized_requests(settings)
        ]
    return told


def key_of(path: Path) -> str:
    """The key of shipper.toml that ends up there; "targets" for what no single setting makes."""
    return _key_at(show_path(path))


def what_to_do(words: str) -> tuple[str, str]:
    """The key of shipper.toml, and the next step, where Knative refused the Service with these words."""
    for path in paths_in(words):
        if (key := _key_at(path)) != "targets":
            return key, _HINTS.get(key, f"change this setting as the words say; it is {path} of the Knative Service")
    return "targets", admission_hint(words)


def _key_at(path: str) -> str:
    for pattern, key in _KEYS:
        found = re.fullmatch(pattern, path)
        if found is not None:
            return found.expand(key)
    return "targets"


def _refused(release: Release, own: KnativeSettings, service: str, cluster: Cluster) -> Iterator[Problem]:
    name = f"{service}-{release.number}-{release.id[-6:].lower()}"
    traffic = targets({name: 100}, {tag_of(_HIGHEST): name})
    try:
        manifest = service_of(release, own, service, traffic, {})
    except Invalid as error:
        yield problem("targets", str(error), "make the configuration smaller")
        return
    for one in violations(manifest, cluster):
        if cluster.known or not one.by_cluster:
            yield _problem(one)


def _problem(one: Violation) -> Problem:
    key = key_of(one.path)
    what = one.message if key != "targets" else str(one)
    hint = _HINTS.get(key, "see docs/targets/knative.md, limits")
    return problem(key, f"Knative would refuse this: {what}", hint)


def _target(settings: Settings, own: KnativeSettings) -> Iterator[Problem]:
    for name in own.labels:
        if name == VISIBILITY:
            yield problem(
                f"targets.labels.{name}", f"{name} is set by shipper", 'write visibility = "cluster-local" instead'
            )
        elif name.startswith(f"{GROUP}/"):
            yield problem(f"targets.labels.{name}", f"{name} is set by Knative", "give the label another name")
    yield from reserved_names(own.cluster)
    if own.inside_only:
        yield from authorized_requests(settings)
    if own.autoscale.by == "hpa" and own.autoscale.metric in ("concurrency", "rps"):
        yield problem(
            "targets.autoscale.metric",
            f"the HPA does not know {own.autoscale.metric}",
            'set metric = "cpu" or "memory", or leave by = "hpa" out',
        )


def _configuration(settings: Settings, own: KnativeSettings) -> Iterator[Problem]:
    health, scale, run = settings.health, settings.scale, settings.run
    if not LEAST_HEALTHY <= health.status <= MOST_HEALTHY:
        yield problem(
            "health.status",
            f"Knative's probes take {LEAST_HEALTHY} to {MOST_HEALTHY} for ready, not {health.status}",
            "let the readiness path answer 200",
        )
    if scale.cpu_idle is not None:
        yield problem("scale.cpu_idle", "an instance has its CPU always", "leave cpu_idle out; scale to zero instead")
    if scale.min is not None and scale.max is not None and scale.min > scale.max:
        yield problem("scale.min", f"{scale.min} is more than max = {scale.max}", "raise max, or lower min")
    for name in sorted({*run.env} & {*run.secrets}) if run.secrets_as == "environment" else ():
        yield problem(f"run.secrets.{name}", f"{name} is a variable and a secret", "keep one of them")
    if run.secrets_as == "environment":
        for name in sorted({*run.secrets} & {"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"}):
            yield problem(f"run.secrets.{name}", f"{name} is set by Knative", "give the secret another name")
    if own.autoscale.by == "hpa" and scale.min == 0:
        yield problem("scale.min", "the HPA does not scale to zero", 'set min = 1, or leave by = "hpa" out')
