"""The template of revisions.

Sources beside each rule; "descr." is the description of the field in google.cloud.run_v2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.cloud import run_v2

from tests.rig.google.cloudrun.limits_container import container_violations
from tests.rig.google.cloudrun.limits_metadata import metadata_violations
from tests.rig.google.cloudrun.limits_resources import gpu_violations
from tests.rig.google.cloudrun.limits_scaling import revision_scaling_violations
from tests.rig.google.cloudrun.limits_volumes import volume_violations

_RFC1035 = re.compile(r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")


def template_violations(template: run_v2.RevisionTemplate, service_id: str) -> Iterator[tuple[str, str]]:
    yield from revision_violations(template.revision, service_id)
    yield from metadata_violations("template.", dict(template.labels), dict(template.annotations))
    yield from revision_scaling_violations(template)
    # run/docs/configuring/request-timeout: from 1 second to 60 minutes.
    seconds = template.timeout.total_seconds() if template.timeout else 0.0
    if not 1 <= seconds <= 3600:
        yield "template.timeout", f"must be between 1s and 3600s, got {seconds:g}s"
    # run/quotas: "Maximum number of concurrent requests 1000 per container instance".
    if not 0 <= template.max_instance_request_concurrency <= 1000:
        yield (
            "template.max_instance_request_concurrency",
            f"must be between 0 and 1000, got {template.max_instance_request_concurrency}",
        )
    if not template.containers:
        yield "template.containers", "must have at least one container"
        return
    # run/docs/deploying#multicontainer: at most 10 containers, exactly one of them with a port.
    if len(template.containers) > 10:
        yield "template.containers", "must have at most 10 containers"
    if sum(1 for container in template.containers if container.ports) != 1:
        yield "template.containers", "exactly one container must expose a port"
    for index, container in enumerate(template.containers):
        yield from container_violations(f"template.containers[{index}]", container, template)
    yield from gpu_violations(template)
    yield from volume_violations(template)


def revision_violations(revision: str, service_id: str) -> Iterator[tuple[str, str]]:
    """A name that the client chose: run/docs/managing/revisions (prefix), names of Kubernetes services (the rest)."""
    if revision and not revision.startswith(f"{service_id}-"):
        yield "template.revision", f"'{revision}' must be prefixed by the name of the service and a hyphen."
    elif revision and not _RFC1035.match(revision):
        yield "template.revision", f"'{revision}' must be an RFC 1035 label of at most 63 characters."
