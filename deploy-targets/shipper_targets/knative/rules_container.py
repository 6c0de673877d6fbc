"""What Knative refuses of a container: image, port, environment, probes, mounts, security. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.rules_probe import probe_violations
from shipper_targets.knative.violations import Path, Violation, not_of, outside, unknown
from shipper_targets.kubernetes.values import Object, mapping, objects, text

RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)
"""Of Knative's own proxy beside the container, and of its profiling."""

RESERVED_NAMES = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
"""Variables that Knative sets."""

RESERVED_PATHS = ("/", "/dev", "/dev/log")

_KNOWN = (
    "name", "args", "command", "env", "workingDir", "envFrom", "image", "imagePullPolicy", "livenessProbe", "ports",
    "readinessProbe", "resources", "securityContext", "startupProbe", "terminationMessagePath",
    "terminationMessagePolicy", "volumeMounts",
)  # fmt: skip
_SECURITY = (
    "capabilities", "readOnlyRootFilesystem", "runAsUser", "runAsGroup", "runAsNonRoot", "allowPrivilegeEscalation",
    "seccompProfile", "privileged",
)  # fmt: skip
_MOST_ID = 2**31 - 1
_ADD = "kubernetes.containerspec-addcapabilities"
_PROPAGATION = "kubernetes.podspec-volumes-mount-propagation"
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9A-Fa-f:]+\](?::[0-9]+)?")
_REPOSITORY = re.compile(r"[a-z0-9._/-]+")
_TAG = re.compile(r"[A-Za-z0-9._-]{1,128}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def container_violations(
    path: Path, container: Object, volumes: list[Object], cluster: Cluster, *, serves: bool
) -> Iterator[Violation]:
    """`serves`: it is the one that has the port."""
    yield from unknown(path, container, _KNOWN)
    if text(container, "name") == "queue-proxy":
        yield Violation((*path, "name"), "queue-proxy is the name of Knative's own container")
    image = text(container, "image")
    if not is_image(image):
        yield Violation((*path, "image"), f'"{image}" is no reference of an image' if image else "is missing")
    yield from _ports((*path, "ports"), objects(container, "ports"))
    yield from _environment(path, container, cluster, serves=serves)
    yield from _security((*path, "securityContext"), mapping(container, "securityContext"), cluster)
    yield from _mounts((*path, "volumeMounts"), objects(container, "volumeMounts"), volumes, cluster)
    yield from unknown((*path, "resources"), mapping(container, "resources"), ("limits", "requests"))
    if container.get("terminationMessagePolicy") not in (None, "", "File", "FallbackToLogsOnError"):
        yield Violation((*path, "terminationMessagePolicy"), "has to be File or FallbackToLogsOnError")
    port = next(iter(objects(container, "ports")), {})
    for member in ("livenessProbe", "readinessProbe") if serves else ():
        probe = container.get(member)
        if probe is not None:
            name = text(port, "name") or "http"
            yield from probe_violations((*path, member), mapping(container, member), name, member == "readinessProbe")


def is_image(reference: str) -> bool:
    """As go-containerregistry's name.ParseReference with weak validation reads it."""
    rest, _, digest = reference.partition("@")
    if "@" in reference and not _DIGEST.fullmatch(digest):
        return False
    first, slash, more = rest.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    repository = more if named else rest
    if named and not _HOST.fullmatch(first):
        return False
    head, colon, tag = repository.rpartition(":")
    if colon:
        if not _TAG.fullmatch(tag):
            return False
        repository = head
    return 2 <= len(repository) <= 255 and _REPOSITORY.fullmatch(repository) is not None


def _ports(path: Path, ports: list[Object]) -> Iterator[Violation]:
    for at, port in enumerate(ports[:1]):
        yield from unknown((*path, at), port, ("containerPort", "name", "protocol"))
        number = port.get("containerPort")
        yield from not_of((*path, at, "containerPort"), number, "number")
        yield from outside((*path, at, "containerPort"), number, 0, 65535)
        if number in RESERVED_PORTS:
            yield Violation((*path, at, "containerPort"), f"{number} is a port of Knative's own")
        if port.get("protocol") not in (None, "", "TCP"):
            yield Violation((*path, at, "protocol"), "has to be TCP")
        if port.get("name") not in (None, "", "h2c", "http1"):
            yield Violation((*path, at, "name"), "has to be h2c or http1, or left out")


def _environment(path: Path, container: Object, cluster: Cluster, *, serves: bool) -> Iterator[Violation]:
    reserved = RESERVED_NAMES if serves else RESERVED_NAMES[1:]
    fields = cluster.allows("kubernetes.podspec-fieldref")
    for at, one in enumerate(objects(container, "env")):
        name = text(one, "name")
        yield from unknown((*path, "env", at), one, ("name", "value", "valueFrom"))
        yield from not_of((*path, "env", at, "value"), one.get("value"), "text")
        if not name:
            yield Violation((*path, "env", at, "name"), "is missing")
        if name in reserved:
            yield Violation((*path, "env", at, "name"), f"{name} is set by Knative")
        for member in ("fieldRef", "resourceFieldRef"):
            if mapping(one, "valueFrom").get(member) is not None and not fields:
                where = (*path, "env", at, "valueFrom", member)
                yield Violation(
                    where, "this cluster does not allow it (config-features: kubernetes.podspec-fieldref)", True
                )
    for at, one in enumerate(objects(container, "envFrom")):
        given = [member for member in ("configMapRef", "secretRef") if one.get(member) is not None]
        if len(given) != 1:
            yield Violation((*path, "envFrom", at), "has to have either configMapRef or secretRef")


def _security(path: Path, security: Object, cluster: Cluster) -> Iterator[Violation]:
    yield from unknown(path, security, _SECURITY)
    if security.get("privileged") is True:
        yield Violation((*path, "privileged"), "Knative only allows to say false")
    for member in ("runAsUser", "runAsGroup"):
        yield from not_of((*path, member), security.get(member), "number")
        yield from outside((*path, member), security.get(member), 0, _MOST_ID)
    added = mapping(security, "capabilities").get("add")
    low_port = cluster.secure_defaults and added == ["NET_BIND_SERVICE"]
    if added and not cluster.has(_ADD) and not low_port:
        yield Violation(
            (*path, "capabilities", "add"), f"this cluster does not allow it (config-features: {_ADD})", True
        )


def _mounts(path: Path, mounts: list[Object], volumes: list[Object], cluster: Cluster) -> Iterator[Violation]:
    by_name = {text(one, "name"): one for one in volumes}
    seen: set[str] = set()
    for at, mount in enumerate(mounts):
        yield from unknown((*path, at), mount, ("name", "mountPath", "readOnly", "subPath", "mountPropagation"))
        volume = by_name.get(text(mount, "name"))
        if volume is None:
            yield Violation((*path, at, "name"), f"there is no volume {text(mount, 'name')}")
        where = text(mount, "mountPath")
        clean = posixpath.normpath(where) if where else ""
        clean = "/" + clean.lstrip("/") if clean.startswith("//") else clean
        if not where:
            yield Violation((*path, at, "mountPath"), "is missing")
        elif clean in RESERVED_PATHS:
            yield Violation((*path, at, "mountPath"), f"{clean} cannot be a volume")
        elif not where.startswith("/"):
            yield Violation((*path, at, "mountPath"), f"{where} is not absolute")
        elif clean in seen:
            yield Violation((*path, at, "mountPath"), f"{clean} is mounted twice")
        seen.add(clean)
        if mount.get("mountPropagation") is not None and not cluster.has(_PROPAGATION):
            yield _not_here((*path, at, "mountPropagation"), _PROPAGATION)
        yield from _writable((*path, at), mount, volume or {})


def _writable(path: Path, mount: Object, volume: Object) -> Iterator[Violation]:
    """The webhook sets readOnly by itself, but where a volume may be writable."""
    if mapping(volume, "persistentVolumeClaim").get("readOnly") is True and mount.get("readOnly") is not True:
        yield Violation((*path, "readOnly"), "its volume is read-only, and it is not")


def _not_here(path: Path, feature: str) -> Violation:
    return Violation(path, f"this cluster does not allow it (config-features: {feature})", by_cluster=True)
