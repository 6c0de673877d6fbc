"""A container of a pod as the body of the engine's POST /containers/create."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import security
from tests.rig.kubernetes.pods.environment import expand
from tests.rig.kubernetes.pods.quantities import quantity
from tests.rig.kubernetes.pods.runtime import Mount, Plan, Trouble

if TYPE_CHECKING:
    from docker import DockerClient

_CPU_PERIOD = 100_000  # microseconds, as the kubelet sets it


def config(client: DockerClient, plan: Plan, sandbox: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """`command` replaces ENTRYPOINT and drops CMD, `args` replace CMD. Raises Trouble for what the rig refuses."""
    container = plan.container
    command = [expand(word, plan.env) for word in container.get("command", [])]
    args = [expand(word, plan.env) for word in container.get("args", [])]
    found: dict[str, Any] = {
        "Image": plan.image.local,
        "Env": [f"{name}={value}" for name, value in plan.env.items()],
        "Labels": dict(labels),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host(plan, sandbox),
    }
    if command:
        found["Entrypoint"] = command
    if command or args:
        found["Cmd"] = args
    if container.get("workingDir"):
        found["WorkingDir"] = container["workingDir"]
    if plan.user:
        found["User"] = plan.user
    return found


def _host(plan: Plan, sandbox: str) -> dict[str, Any]:
    wanted = security.effective(plan.pod, plan.container)
    if wanted.get("privileged"):
        raise Trouble("CreateContainerError", "the rig's nodes run no privileged containers")
    capabilities = wanted.get("capabilities") or {}
    options = ["no-new-privileges"] if wanted.get("allowPrivilegeEscalation") is False else []
    if (wanted.get("seccompProfile") or {}).get("type", "Unconfined") == "Unconfined":
        options.append("seccomp=unconfined")  # what a kubelet does without seccompDefault
    mounts = [_mount(one) for one in plan.mounts]
    if plan.termination_log:
        path = plan.container.get("terminationMessagePath") or "/dev/termination-log"
        mounts.append(_mount(Mount(path, source=plan.termination_log)))
    return {
        "NetworkMode": f"container:{sandbox}",
        "ReadonlyRootfs": bool(wanted.get("readOnlyRootFilesystem")),
        "CapAdd": list(capabilities.get("add") or []),
        "CapDrop": list(capabilities.get("drop") or []),
        "SecurityOpt": options,
        "GroupAdd": list(plan.groups),
        "Mounts": mounts,
        **_limits(plan.container),
    }


def _limits(container: Object) -> dict[str, int]:
    """Memory without swap, CPU as a quota, CPU requests as shares."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    found: dict[str, int] = {}
    if "memory" in limits:
        found["Memory"] = found["MemorySwap"] = int(quantity(str(limits["memory"])))
    if "cpu" in limits:
        found["CpuPeriod"] = _CPU_PERIOD
        found["CpuQuota"] = max(1000, int(quantity(str(limits["cpu"])) * _CPU_PERIOD))
    if "cpu" in requests:
        found["CpuShares"] = max(2, int(quantity(str(requests["cpu"])) * 1024))
    return found


def _mount(mount: Mount) -> dict[str, Any]:
    if mount.volume:
        return {"Type": "volume", "Source": mount.volume, "Target": mount.target, "ReadOnly": mount.read_only}
    return {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
