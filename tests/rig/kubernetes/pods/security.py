"""What a container runs as, and the kubelet's check of runAsNonRoot: pkg/kubelet/kuberuntime/security_context.go."""

from __future__ import annotations

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods.runtime import Trouble


def effective(pod: Object, container: Object) -> Object:
    """The container's securityContext, over what the pod's own says for all of its containers."""
    shared = pod["spec"].get("securityContext") or {}
    names = ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile")
    found: Object = {name: shared[name] for name in names if name in shared}
    return found | (container.get("securityContext") or {})


def verify_non_root(pod: Object, container: Object, image_user: str) -> None:
    """Raises Trouble when runAsNonRoot does not hold, or cannot be known; "" is root. `image_user` is USER's."""
    wanted = effective(pod, container)
    if not wanted.get("runAsNonRoot"):
        return
    metadata = pod["metadata"]
    who = f'(pod: "{metadata["name"]}_{metadata["namespace"]}({metadata["uid"]})", container: {container["name"]})'
    chosen = wanted.get("runAsUser")
    if chosen is not None:
        if chosen == 0:
            raise Trouble("CreateContainerConfigError", f"container's runAsUser breaks non-root policy {who}")
        return
    name = image_user.partition(":")[0]
    if name and not name.isdigit():
        raise Trouble(
            "CreateContainerConfigError",
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {who}",
        )
    if not name or int(name) == 0:
        raise Trouble("CreateContainerConfigError", f"container has runAsNonRoot and image will run as root {who}")


def user(pod: Object, container: Object) -> str:
    """`UID` or `UID:GID` for the engine; "" leaves it to the image."""
    wanted = effective(pod, container)
    if "runAsUser" not in wanted and "runAsGroup" not in wanted:
        return ""
    group = f":{wanted['runAsGroup']}" if "runAsGroup" in wanted else ""
    return f"{wanted.get('runAsUser', 0)}{group}"


def groups(pod: Object) -> list[str]:
    """The further groups of every process: supplementalGroups and fsGroup."""
    shared = pod["spec"].get("securityContext") or {}
    found = list(shared.get("supplementalGroups") or [])
    found += [shared["fsGroup"]] if "fsGroup" in shared else []
    return [str(group) for group in found]
