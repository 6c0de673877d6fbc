"""What the service fills in where a request says nothing, because a read-back contains it.

Sources: the field descriptions of google.cloud.run_v2 (0.16.2) for concurrency, maximum instances, probes and
cpu_idle; run/docs/configuring/{request-timeout,memory-limits,services/cpu,healthchecks,services/containers} for 300 s,
512 MiB, 1 CPU, the default TCP start-up probe (240 s, once) and port 8080; run/docs/securing/service-identity for the
default service account. Not verified: that the execution environment and scaling.scaling_mode are filled in; they are
here so that a client cannot take "not what I sent" for drift.
"""

from __future__ import annotations

import hashlib

from google.cloud import run_v2
from google.protobuf import duration_pb2

from tests.rig.google.cloudrun.quantities import cores

Mode = run_v2.ServiceScaling.ScalingMode
Gen = run_v2.ExecutionEnvironment
LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


def project_number(project: str) -> str:
    """A number that looks like a project's: the same for the same project."""
    return str(10**11 + int(hashlib.sha256(project.encode()).hexdigest(), 16) % (9 * 10**11))


def fill_service(service: run_v2.Service, project: str) -> None:
    """Fill in, in place."""
    if not service.ingress:
        service.ingress = run_v2.IngressTraffic(run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL)
    if not service.launch_stage:
        service.launch_stage = 4  # google.api.LaunchStage.GA
    if not service.traffic:
        service.traffic = [run_v2.TrafficTarget(type_=LATEST, percent=100)]
    if not service.scaling.scaling_mode:
        service.scaling.scaling_mode = Mode(Mode.AUTOMATIC)
    fill_template(service.template, project)


def fill_template(template: run_v2.RevisionTemplate, project: str) -> None:
    if template.containers and not any(container.ports for container in template.containers):
        template.containers[0].ports = [run_v2.ContainerPort(name="http1", container_port=8080)]
    for container in template.containers:
        _fill_container(container)
    raw = run_v2.RevisionTemplate.pb(template)
    if not raw.HasField("timeout"):
        raw.timeout.CopyFrom(duration_pb2.Duration(seconds=300))
    if not template.max_instance_request_concurrency:
        template.max_instance_request_concurrency = 80 if _cpu(template) >= 1 else 1
    if not template.scaling.max_instance_count:
        template.scaling.max_instance_count = 100
    if not template.service_account:
        template.service_account = f"{project_number(project)}-compute@developer.gserviceaccount.com"
    if not template.execution_environment:
        needs_gen2 = bool(template.node_selector.accelerator) or any("gcs" in volume for volume in template.volumes)
        template.execution_environment = Gen(
            Gen.EXECUTION_ENVIRONMENT_GEN2 if needs_gen2 else Gen.EXECUTION_ENVIRONMENT_GEN1
        )


def _cpu(template: run_v2.RevisionTemplate) -> float:
    return sum(cores(container.resources.limits.get("cpu", "1")) or 1.0 for container in template.containers)


def _fill_container(container: run_v2.Container) -> None:
    if "resources" not in container:
        container.resources = run_v2.ResourceRequirements(cpu_idle=True)
    limits = container.resources.limits
    limits.setdefault("cpu", "1000m")
    limits.setdefault("memory", "512Mi")
    port = container.ports[0].container_port if container.ports else 0
    for entry in container.ports:
        entry.name = entry.name or "http1"
    if container.ports and "startup_probe" not in container:
        container.startup_probe = run_v2.Probe(
            tcp_socket=run_v2.TCPSocketAction(port=port), timeout_seconds=240, period_seconds=240, failure_threshold=1
        )
    for name in ("startup_probe", "liveness_probe", "readiness_probe"):
        if name in container:
            _fill_probe(getattr(container, name), port)


def _fill_probe(probe: run_v2.Probe, port: int) -> None:
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.failure_threshold = probe.failure_threshold or 3
    if "http_get" in probe:
        probe.http_get.path = probe.http_get.path or "/"
        probe.http_get.port = probe.http_get.port or port
    elif "tcp_socket" in probe:
        probe.tcp_socket.port = probe.tcp_socket.port or port
    elif "grpc" in probe:
        probe.grpc.port = probe.grpc.port or port
