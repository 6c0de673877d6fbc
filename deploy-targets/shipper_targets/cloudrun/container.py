"""The one container of a revision: image by digest, port, environment, limits and probes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from google.cloud import run_v2

from shipper.model import HealthSettings, Release, RunSettings, Settings
from shipper_targets.cloudrun.secret_names import parse_version
from shipper_targets.cloudrun.settings import CloudRunSettings

GPU_LIMIT = "nvidia.com/gpu"
MACHINES = {"nvidia-l4": (4.0, 16 * 2**30), "nvidia-rtx-pro-6000": (20.0, 80 * 2**30)}
"""CPUs and bytes of memory that an instance with a GPU has at least (Cloud Run's documentation, GPUs): what it gets
when nothing else is asked for."""

LONGEST_STARTUP = 240
"""Seconds: a startup probe's period times its failure threshold may not be more (Cloud Run, health checks)."""

LIVENESS_PERIOD, LIVENESS_FAILURES = 10, 3


def container_of(release: Release, own: CloudRunSettings, mounts: Sequence[run_v2.VolumeMount]) -> run_v2.Container:
    """`[run] command` replaces the image's CMD, as everywhere; its ENTRYPOINT stays."""
    settings = release.settings
    run, health = settings.run, settings.health
    container = run_v2.Container(
        image=release.main.reference,
        args=list(run.command or ()),
        ports=[run_v2.ContainerPort(container_port=run.port)],
        env=_environment(run, release),
        resources=resources_of(settings, own),
        volume_mounts=list(mounts),
        startup_probe=startup_probe(health, run.port),
    )
    if health.liveness is not None:
        container.liveness_probe = _watching_probe(health, health.liveness, run.port)
    if own.readiness_probe:
        container.readiness_probe = _watching_probe(health, health.path, run.port)
    return container


def resources_of(settings: Settings, own: CloudRunSettings) -> run_v2.ResourceRequirements:
    """Limits as far as they are asked for; where the API wants to be told, CPU during requests only is the default."""
    run = settings.run
    cpu, memory = size_of(settings, own)
    limits = {}
    if cpu is not None:
        limits["cpu"] = show_cpu(cpu)
    if memory is not None:
        limits["memory"] = show_memory(memory)
    if run.gpu:
        limits[GPU_LIMIT] = str(run.gpu)
    idle = settings.scale.cpu_idle if settings.scale.cpu_idle is not None else not run.gpu
    return run_v2.ResourceRequirements(limits=limits, cpu_idle=idle, startup_cpu_boost=own.cpu_boost)


def size_of(settings: Settings, own: CloudRunSettings) -> tuple[float | None, int | None]:
    """CPUs and bytes of memory that are asked for, with a GPU at least its machine's; None: the platform's default."""
    run = settings.run
    least_cpu, least_memory = MACHINES.get(own.gpu_type, (None, None)) if run.gpu else (None, None)
    return run.cpu if run.cpu is not None else least_cpu, run.memory if run.memory is not None else least_memory


def show_cpu(cpu: float) -> str:
    """As Kubernetes writes quantities: "2", "500m"."""
    return str(int(cpu)) if cpu == int(cpu) else f"{round(cpu * 1000)}m"


def show_memory(memory: int) -> str:
    """In Mi, rounded up."""
    return f"{-(-memory // 2**20)}Mi"


def startup_probe(health: HealthSettings, port: int) -> run_v2.Probe:
    """Ready means what `[health]` says; the image's own HEALTHCHECK does not count on Cloud Run.

    As often as a probe may take, until the start-up budget is used up.
    """
    period = seconds_of(health.timeout)
    failures = min(math.ceil(health.startup / period), max(1, LONGEST_STARTUP // period))
    return run_v2.Probe(
        http_get=run_v2.HTTPGetAction(path=health.path, port=port),
        timeout_seconds=period,
        period_seconds=period,
        failure_threshold=failures,
    )


def seconds_of(duration: float) -> int:
    """Whole seconds, rounded up, at least one: probes know no less."""
    return max(1, math.ceil(duration))


def _watching_probe(health: HealthSettings, path: str, port: int) -> run_v2.Probe:
    timeout = seconds_of(health.timeout)
    return run_v2.Probe(
        http_get=run_v2.HTTPGetAction(path=path, port=port),
        timeout_seconds=timeout,
        period_seconds=max(LIVENESS_PERIOD, timeout),
        failure_threshold=LIVENESS_FAILURES,
    )


def _environment(run: RunSettings, release: Release) -> list[run_v2.EnvVar]:
    """By name, so that the same release is the same text. PORT is the platform's."""
    made = [run_v2.EnvVar(name=name, value=value) for name, value in sorted(run.env.items())]
    if run.secrets_as == "environment":
        made += [_secret(name, version) for name, version in sorted(release.secret_versions.items())]
    return made


def _secret(name: str, version: str) -> run_v2.EnvVar:
    secret, number = parse_version(version)
    selector = run_v2.SecretKeySelector(secret=secret, version=number)
    return run_v2.EnvVar(name=name, value_source=run_v2.EnvVarSource(secret_key_ref=selector))
