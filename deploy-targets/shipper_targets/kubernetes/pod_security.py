"""Whether pods of a template pass the namespace's Pod Security level: it is enforced on pods, not on Deployments. Pure.

The rules are those of the Pod Security Standards 1.34 which what we render can break; own manifests can break others
too, and then a dry run of a pod, or the ReplicaSet's own condition, says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from shipper_targets.kubernetes.values import Object, at, mapping, objects, text

ENFORCE = "pod-security.kubernetes.io/enforce"
_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip
_HOST = ("hostNetwork", "hostPID", "hostIPC")


def level_of(namespace: Object) -> str:
    """privileged, baseline or restricted."""
    return text(namespace, "metadata", "labels", ENFORCE) or "privileged"


def violations(level: str, spec: Object) -> Iterator[tuple[str, str]]:
    """(settings key or "", what is not allowed), each once."""
    if level in ("baseline", "restricted"):
        yield from _baseline(spec)
    if level == "restricted":
        yield from _restricted(spec)


def _containers(spec: Object) -> list[Object]:
    return [*objects(spec, "initContainers"), *objects(spec, "containers")]


def _baseline(spec: Object) -> Iterator[tuple[str, str]]:
    for member in _HOST:
        if spec.get(member) is True:
            yield "", member
    for volume in objects(spec, "volumes"):
        if "hostPath" in volume:
            yield "run.volumes", f"volume {text(volume, 'name')} of a node's directory (hostPath)"
    for one in _containers(spec):
        security = mapping(one, "securityContext")
        if security.get("privileged") is True:
            yield "", f"container {text(one, 'name')} is privileged"
        more = sorted({*_texts(security, "add")} - _BASELINE_CAPABILITIES)
        if more:
            yield "targets.security.capabilities", f"capabilities {', '.join(more)}"
    if "Unconfined" in _seccomp(spec):
        yield "targets.security.seccomp", "seccomp Unconfined"


def _restricted(spec: Object) -> Iterator[tuple[str, str]]:
    pod = mapping(spec, "securityContext")
    for one in _containers(spec):
        name, own = text(one, "name"), mapping(one, "securityContext")
        security = {**pod, **own}
        if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0:
            yield "targets.security.run_as_root", f"container {name} may run as root"
        if own.get("allowPrivilegeEscalation") is not False:
            yield "", f"container {name} may gain privileges (allowPrivilegeEscalation)"
        if "ALL" not in _texts(own, "drop"):
            yield "", f"container {name} does not drop all capabilities"
        more = sorted({*_texts(own, "add")} - {"NET_BIND_SERVICE"})
        if more:
            yield "targets.security.capabilities", f"capabilities {', '.join(more)}"
        if not at(security, "seccompProfile", "type"):
            yield "", f"container {name} has no seccomp profile"


def _seccomp(spec: Object) -> set[str]:
    return {text(one, "securityContext", "seccompProfile", "type") for one in (spec, *_containers(spec))}


def _texts(security: Object, member: str) -> list[str]:
    found = at(security, "capabilities", member)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
