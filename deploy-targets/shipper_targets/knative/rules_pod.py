"""What Knative refuses of a revision's spec: a pod's, with much less in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.rules_container import container_violations
from shipper_targets.knative.violations import Path, Violation, is_loose_label, not_of, outside, unknown
from shipper_targets.kubernetes.values import Object, mapping, objects, text

_ALWAYS = (
    "containers", "volumes", "serviceAccountName", "imagePullSecrets", "enableServiceLinks",
    "automountServiceAccountToken", "containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
)  # fmt: skip
_BY_FEATURE = {
    "affinity": "kubernetes.podspec-affinity",
    "topologySpreadConstraints": "kubernetes.podspec-topologyspreadconstraints",
    "hostAliases": "kubernetes.podspec-hostaliases",
    "nodeSelector": "kubernetes.podspec-nodeselector",
    "runtimeClassName": "kubernetes.podspec-runtimeclassname",
    "tolerations": "kubernetes.podspec-tolerations",
    "shareProcessNamespace": "kubernetes.podspec-shareprocessnamespace",
    "priorityClassName": "kubernetes.podspec-priorityclassname",
    "schedulerName": "kubernetes.podspec-schedulername",
    "initContainers": "kubernetes.podspec-init-containers",
    "dnsPolicy": "kubernetes.podspec-dnspolicy",
    "dnsConfig": "kubernetes.podspec-dnsconfig",
    "hostIPC": "kubernetes.podspec-hostipc",
    "hostPID": "kubernetes.podspec-hostpid",
    "hostNetwork": "kubernetes.podspec-hostnetwork",
    "securityContext": "kubernetes.podspec-securitycontext",
}
_SOURCES = {
    "secret": "",
    "configMap": "",
    "projected": "",
    "emptyDir": "kubernetes.podspec-volumes-emptydir",
    "persistentVolumeClaim": "kubernetes.podspec-persistent-volume-claim",
    "hostPath": "kubernetes.podspec-volumes-hostpath",
    "csi": "kubernetes.podspec-volumes-csi",
    "image": "kubernetes.podspec-volumes-image",
}
_POD_SECURITY = ("runAsUser", "runAsGroup", "runAsNonRoot", "fsGroup", "supplementalGroups", "seccompProfile")
_MOST_ID = 2**31 - 1


def pod_violations(path: Path, spec: Object, cluster: Cluster) -> Iterator[Violation]:
    """All of them, of the container too."""
    yield from unknown(path, spec, (*_ALWAYS, *_BY_FEATURE))
    yield from _features(path, spec, cluster)
    yield from _numbers(path, spec, cluster)
    if spec.get("automountServiceAccountToken") is True:
        yield Violation((*path, "automountServiceAccountToken"), "Knative only allows to say false")
    account = text(spec, "serviceAccountName")
    if account and not all(is_loose_label(part) for part in account.split(".")):
        yield Violation((*path, "serviceAccountName"), f'"{account}" is no name of a ServiceAccount')
    volumes = objects(spec, "volumes")
    yield from _volumes((*path, "volumes"), volumes, _mounted(spec), cluster)
    containers = spec.get("containers")
    if not isinstance(containers, list | tuple) or not containers:
        yield Violation((*path, "containers"), "there is none")
        return
    yield from _containers((*path, "containers"), objects(spec, "containers"), volumes, cluster)


def _features(path: Path, spec: Object, cluster: Cluster) -> Iterator[Violation]:
    for member, feature in _BY_FEATURE.items():
        if not spec.get(member) or cluster.allows(feature):
            continue
        if member == "securityContext" and _only_seccomp(spec) and cluster.secure_defaults:
            continue
        yield Violation((*path, member), f"this cluster does not allow it (config-features: {feature})", True)
    security = mapping(spec, "securityContext")
    yield from unknown((*path, "securityContext"), security, _POD_SECURITY)
    for member in ("runAsUser", "runAsGroup", "fsGroup"):
        yield from outside((*path, "securityContext", member), security.get(member), 0, _MOST_ID)


def _only_seccomp(spec: Object) -> bool:
    return {*mapping(spec, "securityContext")} == {"seccompProfile"}


def _numbers(path: Path, spec: Object, cluster: Cluster) -> Iterator[Violation]:
    for member in ("containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"):
        yield from not_of((*path, member), spec.get(member), "number")
    limits = {
        "containerConcurrency": (cluster.least_concurrent, cluster.most_concurrent),
        "timeoutSeconds": (0, cluster.longest_request),
    }
    for member, (least, most) in limits.items():
        for one in outside((*path, member), spec.get(member), least, most):
            told = f"{spec.get(member)} is not between {least} and {most}, this cluster's limit"
            yield Violation(one.path, told, by_cluster=True)


def _mounted(spec: Object) -> set[str]:
    containers = (*objects(spec, "initContainers"), *objects(spec, "containers"))
    return {text(mount, "name") for one in containers for mount in objects(one, "volumeMounts")}


def _volumes(path: Path, volumes: list[Object], mounted: set[str], cluster: Cluster) -> Iterator[Violation]:
    seen: set[str] = set()
    for at, volume in enumerate(volumes):
        name = text(volume, "name")
        if not is_loose_label(name):
            yield Violation((*path, at, "name"), f'"{name}" is no DNS label')
        if name in seen:
            yield Violation((*path, at, "name"), f"{name} is there twice")
        if name not in mounted:
            yield Violation((*path, at, "name"), f"{name} is not mounted")
        seen.add(name)
        yield from _source((*path, at), volume, cluster)


def _source(path: Path, volume: Object, cluster: Cluster) -> Iterator[Violation]:
    yield from unknown(path, volume, ("name", *_SOURCES))
    given = [kind for kind in _SOURCES if volume.get(kind) is not None]
    if len(given) != 1:
        yield Violation(path, f"has to have one source of {', '.join(_SOURCES)}, not {', '.join(given) or 'none'}")
    for kind in given:
        feature = _SOURCES[kind]
        if feature and not cluster.has(feature):
            yield Violation((*path, kind), f"this cluster does not allow it (config-features: {feature})", True)
    claim = mapping(volume, "persistentVolumeClaim")
    if claim and claim.get("readOnly") is not True and not cluster.has("kubernetes.podspec-persistent-volume-write"):
        yield Violation((*path, "persistentVolumeClaim", "readOnly"), "this cluster only allows to read it", True)
    empty = mapping(volume, "emptyDir")
    if empty.get("medium") not in (None, "", "Memory"):
        yield Violation((*path, "emptyDir", "medium"), "has to be Memory, or left out")
    for member in ("secret", "configMap"):
        yield from _items((*path, member), mapping(volume, member))
    for at, source in enumerate(objects(volume, "projected", "sources")):
        yield from _projection((*path, "projected", "sources", at), source)


def _projection(path: Path, source: Object) -> Iterator[Violation]:
    kinds = ("secret", "configMap", "serviceAccountToken", "downwardAPI")
    yield from unknown(path, source, kinds)
    given = [kind for kind in kinds if source.get(kind) is not None]
    if len(given) != 1:
        yield Violation(path, f"has to have one source of {', '.join(kinds)}")
    for kind in ("secret", "configMap"):
        if kind in given and not text(source, kind, "name"):
            yield Violation((*path, kind, "name"), "is missing")
        yield from _items((*path, kind), mapping(source, kind))
    if "serviceAccountToken" in given and not text(source, "serviceAccountToken", "path"):
        yield Violation((*path, "serviceAccountToken", "path"), "is missing")


def _items(path: Path, source: Object) -> Iterator[Violation]:
    for at, item in enumerate(objects(source, "items")):
        for member in ("key", "path"):
            if not text(item, member):
                yield Violation((*path, "items", at, member), "is missing")


def _containers(path: Path, containers: list[Object], volumes: list[Object], cluster: Cluster) -> Iterator[Violation]:
    ports = [port for one in containers for port in objects(one, "ports")]
    if len(ports) > 1:
        yield Violation((*path, 0, "ports"), f"{len(ports)} ports, and a revision has one")
    if len(containers) > 1 and not ports:
        yield Violation((*path, 0, "ports"), "of several containers one has to have the port")
    if len(containers) > 1 and not cluster.has("multi-container"):
        yield Violation(path, "this cluster allows one container (config-features: multi-container)", True)
    names = [text(one, "name") for one in containers]
    for at, one in enumerate(containers):
        if len(containers) > 1 and names[at] in names[:at]:
            yield Violation((*path, at, "name"), f"{names[at]} is there twice")
        serves = len(containers) == 1 or bool(objects(one, "ports"))
        yield from container_violations((*path, at), one, volumes, cluster, serves=serves)
