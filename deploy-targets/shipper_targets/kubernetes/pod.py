"""The pod of a release: one container by digest, tight unless settings loosen it, and nothing of who asked. Pure.

The template is content only. Field names are those of the core API, v1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from shipper.model import Release, RunSettings, Settings
from shipper_targets.kubernetes.labels import SECRETS
from shipper_targets.kubernetes.probes import PORT_NAME, probes_of
from shipper_targets.kubernetes.quantities import show_cpu, show_memory
from shipper_targets.kubernetes.secret_refs import parse_reference, versions_hash
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.settings_parts import SecuritySettings
from shipper_targets.kubernetes.volumes import Mounted, has_secret_files, mounted

CONTAINER = "app"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""Which container `kubectl logs` means, where others stand beside ours."""

DEFAULT_GROUP = 65532
"""The group that may read secret files where the user's is not known: "nonroot" of distroless images."""

_SPREAD = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


def template_of(
    release: Release,
    own: KubernetesSettings,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    account: str,
    env_map: str | None,
) -> dict[str, Any]:
    """The PodTemplateSpec. `labels` include `selector`'s; `account` and `env_map` are names of other objects."""
    settings = release.settings
    inside = mounted(settings, own, release.secret_versions)
    annotations = {**own.annotations, DEFAULT_CONTAINER: CONTAINER}
    if release.secret_versions:
        annotations[SECRETS] = versions_hash(release.secret_versions)
    spec: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": own.service_account_token,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds(settings.run, own),
        "securityContext": _pod_security(release, own),
        "containers": [_container(release, own, inside, env_map)],
        **_placement(release, own, selector),
    }
    if own.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in own.image_pull_secrets]
    if inside.volumes:
        spec["volumes"] = inside.volumes
    return {"metadata": {"labels": dict(labels), "annotations": annotations}, "spec": spec}


def grace_seconds(run: RunSettings, own: KubernetesSettings) -> int:
    """From the decision to stop until SIGKILL: the pause before SIGTERM is part of it."""
    return math.ceil(run.stop_grace) + math.ceil(own.pre_stop)


def resources_of(settings: Settings, own: KubernetesSettings) -> dict[str, Any]:
    """Memory is requested as it is limited, so that a node is never overcommitted with it; CPU is requested."""
    run = settings.run
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    if run.cpu is not None:
        requests["cpu"] = show_cpu(run.cpu)
        if own.cpu_limit:
            limits["cpu"] = requests["cpu"]
    if run.memory is not None:
        requests["memory"] = limits["memory"] = show_memory(run.memory)
    if run.gpu:
        limits[own.gpu_resource] = str(run.gpu)
    return {name: amounts for name, amounts in (("requests", requests), ("limits", limits)) if amounts}


def user_of(run: RunSettings, own: KubernetesSettings) -> tuple[int | None, int | None]:
    """Numeric user and group, as far as they are said; names are preflight's to refuse."""
    if run.user is not None:
        user, _, group = run.user.partition(":")
        return (int(user) if user.isdecimal() else None, int(group) if group.isdecimal() else None)
    return own.security.user, None


def literal(text: str) -> str:
    """Kubernetes replaces `$(NAME)` in arguments and makes `$$` one `$`: written so that the text stays as it is."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _container(release: Release, own: KubernetesSettings, inside: Mounted, env_map: str | None) -> dict[str, Any]:
    """`[run] command` replaces the image's CMD, as everywhere; its ENTRYPOINT stays."""
    run = release.settings.run
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": release.main.reference,
        "ports": [{"name": PORT_NAME, "containerPort": run.port, "protocol": "TCP"}],
    }
    if run.command is not None:
        container["args"] = [literal(word) for word in run.command]
    if env := _environment(run, release.secret_versions):
        container["env"] = env
    if env_map is not None:
        container["envFrom"] = [{"configMapRef": {"name": env_map}}]
    if resources := resources_of(release.settings, own):
        container["resources"] = resources
    container.update(probes_of(release.settings.health, release.started_in))
    if own.pre_stop:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": math.ceil(own.pre_stop)}}}
    container["securityContext"] = container_security(own.security)
    if inside.mounts:
        container["volumeMounts"] = inside.mounts
    return container


def _environment(run: RunSettings, versions: Mapping[str, str]) -> list[dict[str, Any]]:
    """PORT as everywhere, unless `[run.env]` has its own; secrets when they are asked for as variables."""
    made: list[dict[str, Any]] = [] if "PORT" in run.env else [{"name": "PORT", "value": str(run.port)}]
    return [*made, *secret_variables(run, versions)]


def secret_variables(run: RunSettings, versions: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """By name, so that the same release is the same text."""
    for name, version in sorted(versions.items()) if run.secrets_as == "environment" else ():
        one = parse_reference(version)
        yield {"name": name, "valueFrom": {"secretKeyRef": {"name": one.secret, "key": one.key}}}


def _pod_security(release: Release, own: KubernetesSettings) -> dict[str, Any]:
    run, security = release.settings.run, own.security
    user, group = user_of(run, own)
    made = runs_as(run, own)
    if has_secret_files(run, release.secret_versions) or own.scratch:
        made["fsGroup"] = next(one for one in (security.group, group, user, DEFAULT_GROUP) if one is not None)
        made["fsGroupChangePolicy"] = "OnRootMismatch"
    return made


def runs_as(run: RunSettings, own: KubernetesSettings) -> dict[str, Any]:
    """Of a securityContext: what may be said of the pod or of its container."""
    user, group = user_of(run, own)
    ids = {name: value for name, value in (("runAsUser", user), ("runAsGroup", group)) if value is not None}
    return {"runAsNonRoot": not own.security.run_as_root, "seccompProfile": {"type": own.security.seccomp}, **ids}


def container_security(security: SecuritySettings) -> dict[str, Any]:
    """Of a securityContext: what is said of the container only."""
    capabilities: dict[str, Any] = {"drop": ["ALL"]}
    if security.capabilities:
        capabilities["add"] = sorted(security.capabilities)
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": capabilities,
        "readOnlyRootFilesystem": not security.writable_root,
    }


def _placement(release: Release, own: KubernetesSettings, selector: Mapping[str, str]) -> dict[str, Any]:
    system, _, rest = release.main.platform.partition("/")
    built_for = {"kubernetes.io/os": system, "kubernetes.io/arch": rest.partition("/")[0]}
    made: dict[str, Any] = {"nodeSelector": dict(sorted({**built_for, **own.node_selector}.items())), **wishes(own)}
    if own.topology_spread:
        made["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(selector)},
                "matchLabelKeys": ["pod-template-hash"],
            }
            for key in _SPREAD
        ]
    return made


def wishes(own: KubernetesSettings) -> dict[str, Any]:
    """What a pod asks of nodes and of the scheduler, as configured."""
    made: dict[str, Any] = {}
    if own.tolerations:
        made["tolerations"] = [one.model_dump(exclude_none=True, exclude_defaults=True) for one in own.tolerations]
    if own.runtime_class is not None:
        made["runtimeClassName"] = own.runtime_class
    if own.priority_class is not None:
        made["priorityClassName"] = own.priority_class
    return made
