"""What to do where the cluster does not take an object: which setting it comes from, and whose rule it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shipper.targets import PlatformError
from shipper_targets.kubernetes.settings import KubernetesSettings

_PATH = re.compile(r"(?<![\w.])(?:spec|metadata)(?:\.[\w/-]+|\[[^\]\s]*\])+")
_WEBHOOK = re.compile(r'admission (?:webhook|policy) [\'"]([^\'"]+)[\'"]|ValidatingAdmissionPolicy \'([^\']+)\'')

_RULES = (
    (
        r"(?:exceeded|failed) quota",
        "targets.namespace",
        "ask for less ([run] cpu, memory, [scale]), or have the namespace's quota raised: kubectl describe quota",
    ),
    (
        r"violates PodSecurity",
        "targets.security",
        "tighten [targets.<name>] security, or use a namespace that allows it",
    ),
    (
        r"(?:minimum|maximum) \S+ usage per|max limit to request ratio",
        "run",
        "keep [run] cpu and memory within the namespace's LimitRange: kubectl describe limits",
    ),
    (
        r"no PriorityClass with name",
        "targets.priority_class",
        "create that PriorityClass, or correct the name: kubectl get priorityclass",
    ),
    (
        r"RuntimeClass",
        "targets.runtime_class",
        "create that RuntimeClass, or correct the name: kubectl get runtimeclass",
    ),
    (
        r"service ?account \S+ not found",
        "targets.service_account",
        "create that ServiceAccount, or correct the name",
    ),
)
"""What the API server's own admission says, which setting that is about, and what helps."""

_POD = r"spec\.(?:template\.spec\.)?"
_CONTAINER = rf"{_POD}containers\[0\]\."
_OF_PODS = (
    (rf"{_POD}tolerations.*", "targets.tolerations"),
    (rf"{_POD}nodeSelector.*", "targets.node_selector"),
    (rf"{_POD}priorityClassName", "targets.priority_class"),
    (rf"{_POD}runtimeClassName", "targets.runtime_class"),
    (rf"{_POD}serviceAccountName", "targets.service_account"),
    (rf"{_POD}imagePullSecrets.*", "targets.image_pull_secrets"),
    (rf"{_POD}terminationGracePeriodSeconds", "run.stop_grace"),
    (rf"{_POD}volumes.*", "run.volumes"),
    (rf"{_CONTAINER}volumeMounts.*", "run.volumes"),
    (rf"{_CONTAINER}resources.*memory.*", "run.memory"),
    (rf"{_CONTAINER}resources.*gpu.*", "run.gpu"),
    (rf"{_CONTAINER}resources.*", "run.cpu"),
    (rf"{_CONTAINER}securityContext\.runAs.*", "run.user"),
    (rf"{_CONTAINER}securityContext\.capabilities.*", "targets.security.capabilities"),
    (rf"{_CONTAINER}ports.*", "run.port"),
    (rf"{_CONTAINER}env.*", "run.env"),
    (rf"{_CONTAINER}(?:command|args).*", "run.command"),
    (rf"{_CONTAINER}lifecycle.*", "targets.pre_stop"),
    (rf"{_CONTAINER}\w+Probe.*", "health"),
    (r"spec\.replicas", "scale.min"),
    (r"spec\.strategy\.rollingUpdate\.maxSurge", "targets.max_surge"),
    (r"spec\.strategy\.rollingUpdate\.maxUnavailable", "targets.max_unavailable"),
    (r"spec\.minReadySeconds", "targets.min_ready"),
    (r".*metadata\.annotations.*", "targets.annotations"),
)
_OF_ALL = ((r".*metadata\.labels.*", "targets.labels"), (r"metadata\.name", "targets.name"))
_SETTINGS: dict[str, Sequence[tuple[str, str]]] = {
    "Deployment": _OF_PODS,
    "Pod": _OF_PODS,
    "Service": (
        (r"spec\.type", "targets.service_type"),
        (r"spec\.ports.*", "targets.service_port"),
        (r"metadata\.annotations.*", "targets.service_annotations"),
    ),
    "Ingress": (
        (r"spec\.ingressClassName", "targets.ingress.class_name"),
        (r"spec\.rules.*\.path.*", "targets.ingress.path"),
        (r"spec\.rules.*", "targets.ingress.host"),
        (r"spec\.tls.*", "targets.ingress.tls_secret"),
        (r"metadata\.annotations.*", "targets.ingress.annotations"),
    ),
    "HTTPRoute": (
        (r"spec\.hostnames.*", "targets.gateway.hosts"),
        (r"spec\.parentRefs.*", "targets.gateway"),
        (r"spec\.rules.*\.path.*", "targets.gateway.path"),
    ),
    "HorizontalPodAutoscaler": (
        (r"spec\.minReplicas", "scale.min"),
        (r"spec\.maxReplicas", "scale.max"),
        (r"spec\..*", "targets.autoscale"),
    ),
}
"""Where in a manifest that shipper writes a setting ends up, by kind; the first one that fits."""


def paths_in(words: str) -> list[str]:
    """The fields that the API server's words name: spec.template.spec.containers[0].resources."""
    return [found.rstrip(".:") for found in _PATH.findall(words)]


def admission_hint(words: str) -> str:
    """What helps against a rule of the cluster; whoever made a rule of his own knows what it wants."""
    if (rule := _rule(words)) is not None:
        return rule[1]
    return "change what these words name; whose rule it is knows who runs the cluster"


def _rule(words: str) -> tuple[str, str] | None:
    """The key of shipper.toml and what helps, where these are the words of a rule."""
    for pattern, key, hint in _RULES:
        if re.search(pattern, words, re.IGNORECASE):
            return key, hint
    found = _WEBHOOK.search(words)
    if found is None:
        return None
    hint = f"change what these words name: it is a rule of this cluster's, {found[1] or found[2]}; or ask who runs it"
    return "targets", hint


def what_to_do(error: PlatformError, kind: str, named: str, own: KubernetesSettings) -> tuple[str, str]:
    """The key of shipper.toml, and the next step, where the cluster did not take an object of this kind, `named` so."""
    words = str(error)
    if error.hint:
        return "targets", error.hint
    mine = own_key(own) if own.has_own_manifests else ""
    if (rule := _rule(words)) is not None:
        return mine or rule[0], rule[1]
    paths = paths_in(words)
    if mine:
        what = f"{paths[0]} of {named}" if paths else named
        return mine, f"correct {what} in your manifests; kubectl apply --dry-run=server says the same"
    for path in paths:
        for pattern, key in (*_SETTINGS.get(kind, ()), *_OF_ALL):
            if re.fullmatch(pattern, path):
                return key, f"change this setting as the words say; it is {path} of {named}"
    return "targets", f"change what these words name; `shipper render` shows {named} as it would be"


def own_key(own: KubernetesSettings) -> str:
    """The setting that says where the project's own manifests are."""
    return "targets.manifests_command" if own.manifests_command else "targets.manifests"
