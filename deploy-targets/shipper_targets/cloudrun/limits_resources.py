"""CPU, memory and GPU: which pairs an instance may have. Pure.

Source: Cloud Run's documentation of CPU limits, memory limits and GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator

from shipper.model import Problem, Settings
from shipper_targets.cloudrun.container import MACHINES, size_of
from shipper_targets.cloudrun.settings import CloudRunSettings

MIB, GIB = 2**20, 2**30

DEFAULT_CPU, DEFAULT_MEMORY = 1.0, 512 * MIB
_MOST = {1.0: 4 * GIB, 2.0: 8 * GIB, 4.0: 16 * GIB, 6.0: 24 * GIB, 8.0: 32 * GIB}
_LEAST = {4.0: 2 * GIB, 6.0: 4 * GIB, 8.0: 4 * GIB}
_LEAST_BY_GENERATION = {"gen1": 128 * MIB, "gen2": 512 * MIB}
SMALLEST_CPU = 0.08

_LARGE_CPUS = (20.0, 22.0, 24.0, 26.0, 28.0, 30.0)
_LARGE = "nvidia-rtx-pro-6000"
"""Comes with machines of its own, which nothing else has."""


def problem(key: str, message: str, hint: str) -> Problem:
    """One of the configuration: exit code 2."""
    return Problem(code=2, key=key, message=message, hint=hint)


def resource_problems(settings: Settings, own: CloudRunSettings) -> list[Problem]:
    """All of them."""
    if settings.run.gpu and (own.gpu_type not in MACHINES or own.gpu_type == _LARGE):
        return list(_gpu(settings, own))
    gpu = list(_gpu(settings, own)) if settings.run.gpu else []
    return gpu or [*_cpu(settings, own), *_memory(settings, own)]


def _cpu(settings: Settings, own: CloudRunSettings) -> Iterator[Problem]:
    cpu = settings.run.cpu
    if cpu is None:
        return
    hundredths = abs(cpu * 100 - round(cpu * 100)) < 1e-9
    if cpu not in _MOST and not (SMALLEST_CPU <= cpu < 1 and hundredths):
        yield problem(
            "run.cpu",
            f"Cloud Run has instances of 1, 2, 4, 6 or 8 CPUs, or of 0.08 to 1 in hundredths, not {cpu:g}",
            "choose one of these",
        )
    if cpu < 1:
        yield from _small(settings, own, cpu)


def _small(settings: Settings, own: CloudRunSettings, cpu: float) -> Iterator[Problem]:
    if settings.scale.concurrency not in (None, 1):
        yield problem(
            "scale.concurrency", f"with {cpu:g} CPU an instance takes one request at once", "set concurrency = 1"
        )
    if settings.scale.cpu_idle is False:
        yield problem(
            "scale.cpu_idle", f"with {cpu:g} CPU an instance has it during requests only", "leave cpu_idle out"
        )
    if own.execution_environment == "gen2" or settings.run.volumes:
        yield problem("run.cpu", "the second generation has instances of 1 CPU and more", "set cpu = 1")


def _memory(settings: Settings, own: CloudRunSettings) -> Iterator[Problem]:
    asked_cpu, asked_memory = size_of(settings, own)
    cpu, memory = asked_cpu or DEFAULT_CPU, asked_memory or DEFAULT_MEMORY
    generation = own.execution_environment or ("gen2" if settings.run.volumes else "gen1")
    least = _LEAST.get(cpu, _LEAST_BY_GENERATION[generation])
    most = _MOST.get(cpu, 512 * MIB if cpu < 0.5 else GIB)
    if cpu > 1 and cpu not in _MOST:
        return  # no such machine: nothing can be said of its memory
    rounded = -(-memory // MIB) * MIB
    if not least <= rounded <= most:
        yield problem(
            "run.memory",
            f"with {cpu:g} CPU an instance has {_show(least)} to {_show(most)} of memory, not {_show(rounded)}",
            _memory_hint(rounded),
        )


def _memory_hint(memory: int) -> str:
    enough = next((cpu for cpu, most in _MOST.items() if memory <= most), None)
    if enough is None:
        return "32Gi with 8 CPUs is the largest instance"
    return f"cpu = {enough:g} goes with it" if enough > DEFAULT_CPU else "ask for more memory, or for less CPU"


def _gpu(settings: Settings, own: CloudRunSettings) -> Iterator[Problem]:
    run = settings.run
    if own.gpu_type not in MACHINES:
        known = ", ".join(MACHINES)
        yield problem("targets.gpu_type", f'"{own.gpu_type}" is not one that we know of: {known}', "choose one of them")
        return
    least_cpu, least_memory = MACHINES[own.gpu_type]
    cpu, memory = size_of(settings, own)
    if run.gpu != 1:
        yield problem("run.gpu", f"an instance has one GPU, not {run.gpu}", "set gpu = 1")
    if (cpu or 0) < least_cpu or (own.gpu_type == _LARGE and cpu not in _LARGE_CPUS):
        sizes = "20 to 30 CPUs, in steps of 2" if own.gpu_type == _LARGE else f"{least_cpu:g} CPUs or more"
        yield problem("run.cpu", f"{own.gpu_type} comes with {sizes}", f"set cpu = {least_cpu:g}, or leave it out")
    if (memory or 0) < least_memory:
        least = _show(least_memory)
        yield problem("run.memory", f"{own.gpu_type} comes with {least} or more", f'set memory = "{least}"')
    if settings.scale.cpu_idle:
        yield problem("scale.cpu_idle", "with a GPU the CPU is always on", "leave cpu_idle out")
    if own.execution_environment == "gen1":
        yield problem(
            "targets.execution_environment", "GPUs need the second generation", 'set execution_environment = "gen2"'
        )


def _show(amount: int) -> str:
    return f"{amount // GIB}GiB" if amount % GIB == 0 else f"{amount // MIB}MiB"
