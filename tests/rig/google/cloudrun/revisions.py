"""Revisions: made from a template, and read as what Instances has to run."""

from __future__ import annotations

import random
import uuid
from typing import Any

from google.cloud import run_v2

from tests.rig.google.cloudrun.conditions import DONE, FAILED, PENDING, condition, now
from tests.rig.google.cloudrun.contract import (
    BucketMount,
    MemoryMount,
    Outcome,
    ProbeSpec,
    RunSpec,
    SecretFile,
    SecretRef,
)
from tests.rig.google.cloudrun.instances_outcomes import log_uri
from tests.rig.google.cloudrun.names import ServiceName, revision_name, service_name, short
from tests.rig.google.cloudrun.quantities import bytes_of, cores

# What a revision takes over from the template, field by field; the rest of Revision is the service's own.
_TAKEN = (
    "scaling",
    "vpc_access",
    "timeout",
    "service_account",
    "containers",
    "volumes",
    "execution_environment",
    "encryption_key",
    "max_instance_request_concurrency",
    "service_mesh",
    "encryption_key_revocation_action",
    "encryption_key_shutdown_duration",
    "session_affinity",
    "node_selector",
    "gpu_zonal_redundancy_disabled",
    "labels",
    "annotations",
)


def made_name(service_id: str, number: int) -> str:
    """A name as the platform makes it: `SERVICE-00012-abc`, three letters without vowels."""
    return f"{service_id}-{number:05d}-{''.join(random.choices('bcdfghjklmnpqrstvwxz', k=3))}"


def from_template(
    service: ServiceName, revision_id: str, template: run_v2.RevisionTemplate, principal: str
) -> run_v2.Revision:
    revision = run_v2.Revision(
        name=f"{service}/revisions/{revision_id}",
        uid=str(uuid.uuid4()),
        generation=1,
        service=service.service,
        create_time=now(),
        update_time=now(),
        launch_stage=4,
        creator=principal,
        reconciling=True,
        conditions=[condition("Ready", PENDING), condition("ContainerHealthy", PENDING)],
    )
    source, made = run_v2.RevisionTemplate.pb(template), run_v2.Revision.pb(revision)
    for name in _TAKEN:
        field = source.DESCRIPTOR.fields_by_name[name]
        if field.is_repeated and field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(made, name).update(getattr(source, name))
        elif field.is_repeated:
            getattr(made, name).extend(getattr(source, name))
        elif field.message_type is not None:
            if source.HasField(name):
                getattr(made, name).CopyFrom(getattr(source, name))
        elif not field.has_presence or source.HasField(name):
            setattr(made, name, getattr(source, name))
    revision.log_uri = log_uri(run_spec(revision))
    touch(revision)
    return revision


def touch(revision: run_v2.Revision) -> None:
    """A new etag: something about the revision changed."""
    revision.update_time = now()
    revision.etag = f'"{uuid.uuid4().hex[:16]}"'


def conclude(revision: run_v2.Revision, outcome: Outcome) -> None:
    """Write down how the start ended."""
    parts = ("ContainerHealthy", "ContainerReady", "ResourcesAvailable")
    if outcome.ok:
        revision.conditions = [condition(kind, DONE) for kind in ("Ready", *parts)]
        revision.observed_generation = 1
    else:
        text, reason = outcome.message, outcome.reason
        rest = [
            condition(kind, DONE) for kind in parts if kind != outcome.condition and _before(kind, outcome.condition)
        ]
        failed = condition(outcome.condition, FAILED, text, reason)
        revision.conditions = [condition("Ready", FAILED, text, reason), failed, *rest]
    revision.reconciling = False
    touch(revision)


def _before(kind: str, failed: str) -> bool:
    """Whether a part is settled although another failed: the image is there before the container is healthy."""
    order = ("ResourcesAvailable", "ContainerReady", "ContainerHealthy")
    return failed in order and order.index(kind) < order.index(failed)


def ready(revision: run_v2.Revision) -> bool:
    return any(found.type_ == "Ready" and found.state == DONE for found in revision.conditions)


def set_active(revision: run_v2.Revision, active: bool) -> None:
    """The condition Active: False with severity Info and "Revision retired." where nothing is routed to a revision.

    As `gcloud run revisions describe` shows it for revisions without traffic. Not verified: its exact reason in v2.
    """
    if not ready(revision):
        return
    rest = [found for found in revision.conditions if found.type_ != "Active"]
    was = next((found for found in revision.conditions if found.type_ == "Active"), None)
    state = DONE if active else FAILED
    if was is not None and was.state == state:
        return
    words = () if active else ("Revision retired.", "RETIRED", "INFO")
    revision.conditions = [*rest, condition("Active", state, *words)]
    touch(revision)


def run_spec(revision: run_v2.Revision) -> RunSpec:
    """What Instances runs: the container that has a port. Sidecars are not run (README, "gets wrong")."""
    service_text, revision_id = revision_name(revision.name)
    service = service_name(service_text)
    container = next(found for found in revision.containers if found.ports)
    port = container.ports[0]
    plain, secret = _environment(service.project, container)
    files, buckets, memory = _volumes(service.project, revision, container)
    return RunSpec(
        project=service.project,
        location=service.location,
        service_id=service.service,
        revision_id=revision_id,
        image=container.image,
        port=port.container_port,
        h2c=port.name == "h2c",
        command=tuple(container.command),
        args=tuple(container.args),
        working_dir=container.working_dir,
        env=plain,
        secret_env=secret,
        secret_files=files,
        buckets=buckets,
        memory_mounts=memory,
        cpu=cores(container.resources.limits["cpu"]) or 1.0,
        memory=bytes_of(container.resources.limits["memory"]) or 0,
        gpu=int(container.resources.limits.get("nvidia.com/gpu", "0")),
        cpu_idle=container.resources.cpu_idle,
        startup_probe=_probe(container, "startup_probe"),
        liveness_probe=_probe(container, "liveness_probe"),
        readiness_probe=_probe(container, "readiness_probe"),
        timeout=revision.timeout.total_seconds(),
        concurrency=revision.max_instance_request_concurrency,
        min_instances=revision.scaling.min_instance_count,
        max_instances=revision.scaling.max_instance_count,
        service_account=revision.service_account,
    )


def secret_refs(spec: RunSpec) -> list[tuple[str, SecretRef]]:
    """Every secret that a revision reads, with the field that names it in the words of the service."""
    container = "spec.template.spec.containers[0].env[0].value_from.secret_key_ref.name"
    volume = "spec.template.spec.volumes[0].secret.items[0].key"
    refs = [(container, ref) for ref in spec.secret_env.values()]
    return refs + [(volume, item.ref) for item in spec.secret_files]


def _environment(project: str, container: run_v2.Container) -> tuple[dict[str, str], dict[str, SecretRef]]:
    plain, secret = dict[str, str](), dict[str, SecretRef]()
    for variable in container.env:
        if "value_source" in variable:
            reference = variable.value_source.secret_key_ref
            secret[variable.name] = secret_ref(project, reference.secret, reference.version)
        else:
            plain[variable.name] = variable.value
    return plain, secret


def secret_ref(project: str, secret: str, version: str) -> SecretRef:
    """`secret` is a short name, or `projects/P/secrets/S` when it is in another project."""
    where = secret.split("/")[1] if secret.startswith("projects/") else project
    return SecretRef(where, short(secret), version)


def _volumes(
    project: str, revision: run_v2.Revision, container: run_v2.Container
) -> tuple[tuple[SecretFile, ...], tuple[BucketMount, ...], tuple[MemoryMount, ...]]:
    volumes = {volume.name: volume for volume in revision.volumes}
    files, buckets, memory = list[SecretFile](), list[BucketMount](), list[MemoryMount]()
    for mount in container.volume_mounts:
        volume, path = volumes[mount.name], mount.mount_path.rstrip("/")
        if "secret" in volume:
            files.extend(_files(project, path, volume.secret))
        elif "gcs" in volume:
            buckets.append(BucketMount(volume.gcs.bucket, path, volume.gcs.read_only, _only_dir(volume.gcs)))
        elif "empty_dir" in volume:
            memory.append(MemoryMount(path, bytes_of(volume.empty_dir.size_limit) or 0))
    return tuple(files), tuple(buckets), tuple(memory)


def _files(project: str, path: str, source: run_v2.SecretVolumeSource) -> list[SecretFile]:
    mode = source.default_mode or 0o444
    if not source.items:  # descr. SecretVolumeSource.items: one file, named like the secret, of the latest version
        ref = secret_ref(project, source.secret, "latest")
        return [SecretFile(f"{path}/{ref.secret}", ref, mode)]
    return [
        SecretFile(f"{path}/{item.path}", secret_ref(project, source.secret, item.version), item.mode or mode)
        for item in source.items
    ]


def _only_dir(source: run_v2.GCSVolumeSource) -> str:
    for option in source.mount_options:
        name, _, value = option.partition("=")
        if name == "only-dir":
            return value
    return ""


def _probe(container: run_v2.Container, name: str) -> ProbeSpec | None:
    if name not in container:
        return None
    probe: run_v2.Probe = getattr(container, name)
    times: dict[str, Any] = {
        "initial_delay": probe.initial_delay_seconds,
        "timeout": probe.timeout_seconds,
        "period": probe.period_seconds,
        "failure_threshold": probe.failure_threshold,
    }
    if "http_get" in probe:
        headers = tuple((header.name, header.value) for header in probe.http_get.http_headers)
        return ProbeSpec("http", probe.http_get.port, path=probe.http_get.path, headers=headers, **times)
    if "grpc" in probe:
        return ProbeSpec("grpc", probe.grpc.port, grpc_service=probe.grpc.service, **times)
    return ProbeSpec("tcp", probe.tcp_socket.port, **times)
