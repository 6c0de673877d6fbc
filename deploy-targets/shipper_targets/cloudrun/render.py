"""A release as a Cloud Run service: pure, and the same for the same release.

Only what is set here is ours: drift and plans compare these fields and no others. Field names and ranges are those of
google.cloud.run_v2 (API v2).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from google.api.launch_stage_pb2 import LaunchStage
from google.cloud import run_v2

from shipper.model import Release, Settings
from shipper_targets.cloudrun.container import container_of
from shipper_targets.cloudrun.marks import record_annotations
from shipper_targets.cloudrun.names import labels_of, release_labels, revision_id
from shipper_targets.cloudrun.settings import CloudRunSettings
from shipper_targets.cloudrun.volumes import volumes_of

SERVICE_FIELDS = ("ingress", "invoker_iam_disabled", "scaling.min_instance_count")
"""Of the service itself: they hold for all revisions at once, and are written with all of the traffic."""

REVISION_FIELDS = ("template", "traffic", "annotations", "labels")
CREATE_FIELDS = (*REVISION_FIELDS, *SERVICE_FIELDS)
TRAFFIC_FIELDS = ("traffic", "annotations")
STAMP_FIELDS = ("annotations",)

_INGRESS: dict[str, Any] = {
    "all": run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL,
    "internal": run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY,
    "internal-and-load-balancing": run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER,
}
_EGRESS: dict[str, Any] = {
    "all-traffic": run_v2.VpcAccess.VpcEgress.ALL_TRAFFIC,
    "private-ranges-only": run_v2.VpcAccess.VpcEgress.PRIVATE_RANGES_ONLY,
}
_ENVIRONMENTS: dict[str, Any] = {
    "gen1": run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN1,
    "gen2": run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2,
}


def service_of(release: Release, own: CloudRunSettings, service: str) -> run_v2.Service:
    """Everything but name, traffic and annotations. Raises Invalid when the record is too large."""
    made = whole_service(release, own)
    made.labels = labels_of(release.settings, own)
    made.template = template_of(release, own, service)
    made.client = "shipper"
    if own.readiness_probe:
        made.launch_stage = LaunchStage.BETA
    return made


def whole_service(release: Release, own: CloudRunSettings) -> run_v2.Service:
    """SERVICE_FIELDS alone: what holds for the whole service while this release has all of the traffic."""
    return run_v2.Service(
        ingress=_INGRESS[own.ingress or ("internal" if own.access == "internal" else "all")],
        invoker_iam_disabled=own.access == "public",
        scaling=run_v2.ServiceScaling(min_instance_count=_minimum(release.settings, own, "service")),
    )


def create_fields(own: CloudRunSettings) -> tuple[str, ...]:
    """All that a release writes in the end: a first create at once."""
    return (*CREATE_FIELDS, "launch_stage") if own.readiness_probe else CREATE_FIELDS


def revision_fields(own: CloudRunSettings) -> tuple[str, ...]:
    """What creating a revision beside others writes: nothing that the others would feel."""
    return (*REVISION_FIELDS, "launch_stage") if own.readiness_probe else REVISION_FIELDS


def template_of(release: Release, own: CloudRunSettings, service: str) -> run_v2.RevisionTemplate:
    """The revision's template, under a name of its own."""
    settings = release.settings
    volumes, mounts = volumes_of(settings.run, release.secret_versions)
    template = run_v2.RevisionTemplate(
        revision=revision_id(service, release),
        labels=release_labels(release, own),
        annotations=record_annotations(release),
        containers=[container_of(release, own, mounts)],
        volumes=volumes,
    )
    if (environment := _environment(settings, own)) is not None:
        template.execution_environment = _ENVIRONMENTS[environment]
    if settings.run.gpu:
        template.node_selector = run_v2.NodeSelector(accelerator=own.gpu_type)
        template.gpu_zonal_redundancy_disabled = not own.gpu_zonal_redundancy
    if settings.scale.concurrency is not None:
        template.max_instance_request_concurrency = settings.scale.concurrency
    _scale(template, settings, own)
    _surroundings(template, own)
    return template


def _environment(settings: Settings, own: CloudRunSettings) -> str | None:
    """Buckets and GPUs need the second generation."""
    needed = "gen2" if settings.run.volumes or settings.run.gpu else None
    return own.execution_environment or needed


def _scale(template: run_v2.RevisionTemplate, settings: Settings, own: CloudRunSettings) -> None:
    least, most = _minimum(settings, own, "revision"), settings.scale.max
    if least or most:
        template.scaling = run_v2.RevisionScaling(min_instance_count=least, max_instance_count=most or 0)


def _minimum(settings: Settings, own: CloudRunSettings, level: str) -> int:
    return (settings.scale.min or 0) if own.min_per == level else 0


def _surroundings(template: run_v2.RevisionTemplate, own: CloudRunSettings) -> None:
    if own.timeout is not None:
        template.timeout = timedelta(seconds=own.timeout)
    if own.service_account is not None:
        template.service_account = own.service_account
    if own.session_affinity:
        template.session_affinity = True
    if own.encryption_key is not None:
        template.encryption_key = own.encryption_key
    if own.connector is not None:
        template.vpc_access = run_v2.VpcAccess(connector=own.connector)
    elif own.network or own.subnet:
        interface = run_v2.VpcAccess.NetworkInterface(
            network=own.network or "", subnetwork=own.subnet or "", tags=list(own.network_tags)
        )
        template.vpc_access = run_v2.VpcAccess(network_interfaces=[interface])
    if own.egress is not None and "vpc_access" in template:
        template.vpc_access.egress = _EGRESS[own.egress]
