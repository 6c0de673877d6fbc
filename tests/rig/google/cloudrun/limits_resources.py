"""CPU, memory and GPU.

Sources: run/docs/configuring/services/cpu (0.08 to 1 in steps of 0.01, or 2, 4, 6, 8; below 1 the concurrency is 1, the
first generation and request-based billing are required; 4 need 2 GiB, 6 and 8 need 4 GiB), run/docs/configuring/
services/memory-limits (most memory: 512 MiB below 0.5 CPU, 1 GiB below 1, 4 GiB at 1, 8 at 2, 16 at 4, 24 at 6, 32 at
8; least: 128 MiB, 512 MiB in the second generation), run/docs/configuring/services/gpu (4 CPU, 16 GiB, instance-based
billing, one GPU), and for the words google/osv.dev#2800 and MarkEdmondson1234/googleCloudRunner#137.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.cloud import run_v2

from tests.rig.google.cloudrun.quantities import bytes_of, cores

MIB, GIB = 2**20, 2**30
GPU = "nvidia.com/gpu"
GEN2 = run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2
_MOST = {1.0: 4 * GIB, 2.0: 8 * GIB, 4.0: 16 * GIB, 6.0: 24 * GIB, 8.0: 32 * GIB}
_LEAST = {4.0: 2 * GIB, 6.0: 4 * GIB, 8.0: 4 * GIB}
# The smallest machine of each accelerator: CPUs, bytes of memory.
ACCELERATORS = {"nvidia-l4": (4.0, 16 * GIB), "nvidia-rtx-pro-6000": (20.0, 80 * GIB)}


def resource_violations(
    path: str, container: run_v2.Container, template: run_v2.RevisionTemplate
) -> Iterator[tuple[str, str]]:
    limits = container.resources.limits
    for key in limits:
        if key not in ("cpu", "memory", GPU):  # descr. ResourceRequirements.limits
            yield f"{path}.resources.limits", f"'{key}' is not supported"
    cpu, memory = cores(limits["cpu"]), bytes_of(limits["memory"])
    if cpu is None or memory is None:
        wrong = "cpu" if cpu is None else "memory"
        yield f"{path}.resources.limits.{wrong}", f"Invalid value specified for {wrong}: '{limits[wrong]}'."
        return
    large = template.node_selector.accelerator == "nvidia-rtx-pro-6000" and cpu in (20.0, 22.0, 24.0, 26.0, 28.0, 30.0)
    if not _whole(cpu) and not large:
        problem = "Total cpu must be 1, 2, 4, 6, 8 or between 0.08 and 1 in steps of 0.01."
        yield f"{path}.resources.limits.cpu", f"Invalid value specified for cpu. {problem}"
        return
    if not large:
        yield from _memory_violations(f"{path}.resources.limits.memory", cpu, memory, template)
    if cpu < 1:
        yield from _small_violations(path, container, template)


def _whole(cpu: float) -> bool:
    return cpu in _MOST or (0.08 <= cpu < 1 and abs(cpu * 100 - round(cpu * 100)) < 1e-9)


def _memory_violations(
    path: str, cpu: float, memory: int, template: run_v2.RevisionTemplate
) -> Iterator[tuple[str, str]]:
    gen2 = template.execution_environment == GEN2
    least = _LEAST.get(cpu, 512 * MIB if gen2 else 128 * MIB)
    most = _MOST.get(cpu, 512 * MIB if cpu < 0.5 else GIB)
    if not least <= memory <= most:
        where = " with gen2 execution environment" if gen2 else ""
        problem = (
            f"Invalid value specified for container memory{where}. For {cpu:.1f} CPU, memory must be between "
            f"{_shown(least)} and {_shown(most)} inclusive.\nFor more troubleshooting guidance, see "
            "https://cloud.google.com/run/docs/configuring/memory-limits"
        )
        yield path, problem


def _shown(amount: int) -> str:
    return f"{amount // GIB}Gi" if amount % GIB == 0 else f"{amount // MIB}Mi"


def _small_violations(
    path: str, container: run_v2.Container, template: run_v2.RevisionTemplate
) -> Iterator[tuple[str, str]]:
    if template.max_instance_request_concurrency > 1:
        yield f"{path}.resources.limits.cpu", "Total cpu < 1 is not supported with concurrency > 1."
    if not container.resources.cpu_idle:
        yield f"{path}.resources.limits.cpu", "Total cpu < 1 is not supported with cpu throttling disabled."
    if template.execution_environment == GEN2:
        yield f"{path}.resources.limits.cpu", "Total cpu < 1 is not supported with gen2 execution environment."


def gpu_violations(template: run_v2.RevisionTemplate) -> Iterator[tuple[str, str]]:
    accelerator = template.node_selector.accelerator
    wanting = [container for container in template.containers if container.resources.limits.get(GPU, "0") != "0"]
    if bool(accelerator) != bool(wanting):
        yield "template.node_selector.accelerator", f"must be set together with a limit of {GPU}"
        return
    if not wanting:
        return
    if accelerator not in ACCELERATORS:
        yield "template.node_selector.accelerator", f"'{accelerator}' is not supported"
        return
    if len(wanting) > 1 or wanting[0].resources.limits[GPU] != "1":
        yield f"template.containers[0].resources.limits.{GPU}", "must be 1, in one container"
    cpu, memory = ACCELERATORS[accelerator]
    resources = wanting[0].resources
    if (cores(resources.limits["cpu"]) or 0) < cpu:
        yield "template.containers[0].resources.limits.cpu", f"must be at least {cpu:g} with a GPU of {accelerator}"
    if (bytes_of(resources.limits["memory"]) or 0) < memory:
        yield "template.containers[0].resources.limits.memory", f"must be at least {_shown(memory)} with a GPU"
    if resources.cpu_idle:
        yield "template.containers[0].resources.cpu_idle", "must be false with a GPU"
    if template.execution_environment != GEN2:
        yield "template.execution_environment", "must be gen2 with a GPU"
