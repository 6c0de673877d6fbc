"""What Kubernetes cannot do as it is asked for: every problem of a configuration at once. Pure.

Sources: Kubernetes' documentation (probes, configuring pods, object names, ConfigMaps, HorizontalPodAutoscaler) and the
API's own validation in 1.34. Quota, permission and capacity are asked of the cluster elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipper.model import Problem, Settings
from shipper.model.quantities import show_duration
from shipper_targets.kubernetes.labels import INSTANCE, MANAGED_BY, NAME, VERSION
from shipper_targets.kubernetes.limits_pod import pod_problems, pod_remarks, problem
from shipper_targets.kubernetes.names import shape_of
from shipper_targets.kubernetes.quantities import seconds_of
from shipper_targets.kubernetes.scaling import is_autoscaled
from shipper_targets.kubernetes.settings import KubernetesSettings

_OURS = "shipper.dev/"
_OURS_TOO = (NAME, INSTANCE, MANAGED_BY, VERSION)
_PATH = re.compile(r"/|(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?")
"""What both an Ingress and an HTTPRoute take for a prefix."""

_LONGEST_ENV = 2**20
"""Bytes of a ConfigMap's data, keys and values together."""

LEAST_HEALTHY, MOST_HEALTHY = 200, 399


def limit_problems(settings: Settings, own: KubernetesSettings) -> list[Problem]:
    """All of them; nothing is asked. What only generated manifests use does not matter for the project's own."""
    everywhere = [*_target(own), *_strategy(settings, own), *_golden_requests(settings, own)]
    if own.has_own_manifests:
        return [*everywhere, *_own_manifests(settings, own)]
    return [
        *everywhere,
        *_image(settings),
        *_environment(settings),
        *pod_problems(settings, own),
        *_health(settings),
        *_scale(settings, own),
        *_rollout(settings, own),
    ]


def remarks_of(settings: Settings, own: KubernetesSettings) -> list[str]:
    """What is asked for and does not hold here, or holds in another way, and is no reason to refuse."""
    if own.has_own_manifests:
        return []
    found = [*pod_remarks(settings, own), *gate_remarks(settings)]
    if not is_autoscaled(settings.scale) and own.autoscale != type(own.autoscale)():
        found.append("autoscale does nothing without [scale] max above min: there is no autoscaler")
    if settings.health.json_ is not None:
        found.append("health.json is asked by the smoke test and the proof; Kubernetes' probes look at the status only")
    if settings.scale.concurrency is not None:
        found.append("scale.concurrency does not hold: a Service counts no requests; let the server limit itself")
    return found


def gate_remarks(settings: Settings) -> Iterator[str]:
    """Gates that were asked for and never hold: nothing here counts requests by revision."""
    gate = settings.rollout.gate
    asked = [name for name in ("error_rate", "latency") if name in gate.model_fields_set and getattr(gate, name)]
    if asked and settings.rollout.strategy in ("blue-green", "canary"):
        yield (
            f"rollout.gate.{' and '.join(asked)} never hold here: nothing counts requests by revision; golden requests "
            "decide, and rollout.gate.command, which may ask your metrics"
        )


def reserved_names(own: KubernetesSettings) -> Iterator[Problem]:
    """Labels and annotations that are shipper's."""
    for name in [name for name in own.labels if name.startswith(_OURS) or name in _OURS_TOO]:
        yield problem(f"targets.labels.{name}", f"{name} is set by shipper", "give the label another name")
    for name in [name for name in own.annotations if name.startswith(_OURS)]:
        yield problem(f"targets.annotations.{name}", f"{name} is set by shipper", "give the annotation another name")


def authorized_requests(settings: Settings) -> Iterator[Problem]:
    """Golden requests that cannot be asked through the API server, which keeps Authorization for itself."""
    for one in settings.smoke.requests:
        if one.verify and any(name.lower() == "authorization" for name in one.headers):
            yield problem(
                f"smoke.requests.{one.name}",
                "it is asked through the API server as well, which passes no Authorization on",
                "set verify = false for it, or let the service take another header",
            )


def _target(own: KubernetesSettings) -> Iterator[Problem]:
    yield from reserved_names(own)
    for name, exposed in (("ingress", own.ingress), ("gateway", own.gateway)):
        if exposed is not None and not _PATH.fullmatch(exposed.path):
            yield problem(
                f"targets.{name}.path",
                f'"{exposed.path}" is no prefix that a path can have',
                'write it such as "/shop": without "//", "." and "..", query and "%"',
            )
    if own.address is not None and own.host is None:
        yield problem(
            "targets.address",
            "an address needs a host name that is routed there",
            "configure gateway or ingress (manifests_url with your own), or leave it out: then the API server is asked",
        )

    if own.manifests_url is not None and not own.has_own_manifests:
        yield problem(
            "targets.manifests_url", "there are no manifests of your own", "configure ingress or gateway instead"
        )


def _strategy(settings: Settings, own: KubernetesSettings) -> Iterator[Problem]:
    strategy = settings.rollout.strategy
    if own.has_own_manifests and shape_of(strategy) == "weighted":
        yield problem(
            "rollout.strategy",
            f"{strategy} needs a Deployment for each release, and these manifests are not ours to rename",
            'set strategy = "rolling", or let shipper generate the manifests',
        )
    elif strategy == "canary" and own.gateway is None:
        yield problem(
            "rollout.strategy",
            "a canary needs weights, and a Service has none: pods share by their number only",
            'configure targets.<name>.gateway, or set strategy = "blue-green"',
        )


def _golden_requests(settings: Settings, own: KubernetesSettings) -> Iterator[Problem]:
    weighted = shape_of(settings.rollout.strategy) == "weighted"
    if own.host is None or own.reach == "internal" or weighted:
        yield from authorized_requests(settings)


def _own_manifests(settings: Settings, own: KubernetesSettings) -> Iterator[Problem]:
    if settings.image.repository is None:
        yield problem(
            "image.repository", "without it shipper does not know which image is the service's", "set repository"
        )
    if settings.run.secrets:
        yield problem(
            "run.secrets",
            "these manifests are the project's own: secrets are what they refer to",
            "remove [run.secrets] for this target, or let shipper generate the manifests",
        )


def _image(settings: Settings) -> Iterator[Problem]:
    wanted = settings.image.platform
    if wanted is not None and not wanted.startswith("linux/"):
        yield problem("image.platform", f"{wanted} is not Linux", 'set platform = "linux/amd64"')


def _environment(settings: Settings) -> Iterator[Problem]:
    env, run = settings.run.env, settings.run
    size = sum(len(name.encode()) + len(value.encode()) for name, value in env.items())
    if size > _LONGEST_ENV:
        yield problem("run.env", f"the variables have {size} bytes, a ConfigMap takes 1 MiB", "put them into a file")
    for name in sorted({*env} & {*run.secrets}) if run.secrets_as == "environment" else ():
        yield problem(f"run.secrets.{name}", f"{name} is a variable and a secret", "keep one of them")
    if run.secrets_as == "environment" and "PORT" in run.secrets:
        yield problem("run.secrets.PORT", "PORT is the port to listen on", "give the secret another name")


def _health(settings: Settings) -> Iterator[Problem]:
    health = settings.health
    if not LEAST_HEALTHY <= health.status <= MOST_HEALTHY:
        yield problem(
            "health.status",
            f"Kubernetes' probes take {LEAST_HEALTHY} to {MOST_HEALTHY} for ready, not {health.status}",
            "let the readiness path answer 200",
        )


def _scale(settings: Settings, own: KubernetesSettings) -> Iterator[Problem]:
    scale, run = settings.scale, settings.run
    if scale.min == 0:
        yield problem(
            "scale.min", "a Deployment does not scale to zero", "set min = 1, or use a target of kind knative"
        )
    if scale.min is not None and scale.max is not None and scale.min > scale.max:
        yield problem("scale.min", f"{scale.min} is more than max = {scale.max}", "raise max, or lower min")
    if scale.cpu_idle is not None:
        yield problem("scale.cpu_idle", "a pod has its CPU always", "leave cpu_idle out")
    if not is_autoscaled(scale):
        return
    wanted = own.autoscale
    if wanted.cpu is None and wanted.memory is None:
        yield problem("targets.autoscale", "there is nothing to scale by", "set cpu or memory, in percent")
    if wanted.cpu is not None and run.cpu is None:
        yield problem(
            "run.cpu",
            f"max = {scale.max} scales by CPU, in percent of run.cpu, which is not set",
            "set run.cpu; or autoscale by memory: autoscale = { memory = 80 }",
        )
    if wanted.memory is not None and run.memory is None:
        yield problem("run.memory", "autoscale.memory is in percent of run.memory, which is not set", "set run.memory")


_PERCENT_ZERO = re.compile(r"0%?")


def _rollout(settings: Settings, own: KubernetesSettings) -> Iterator[Problem]:
    if all(_PERCENT_ZERO.fullmatch(str(share)) for share in (own.max_surge, own.max_unavailable)):
        yield problem(
            "targets.max_surge",
            "with neither more nor fewer pods than wanted nothing can be replaced",
            "set max_surge or max_unavailable to 1 or more",
        )
    if own.min_ready and seconds_of(own.min_ready) >= seconds_of(settings.rollout.timeout):
        yield problem(
            "targets.min_ready",
            f"{show_duration(own.min_ready)} is not less than [rollout] timeout = "
            f"{show_duration(settings.rollout.timeout)}",
            "lower min_ready, or raise timeout",
        )
