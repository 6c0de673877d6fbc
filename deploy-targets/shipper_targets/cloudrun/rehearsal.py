"""A rehearsal: the request that a release would make, validated by the platform and carried out by nobody."""

from __future__ import annotations

from shipper.model import Release
from shipper.targets import retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.render import create_fields, service_of
from shipper_targets.cloudrun.settings import CloudRunSettings
from shipper_targets.cloudrun.traffic import foreign_tags, routed, targets


def rehearse(api: Api, release: Release, own: CloudRunSettings) -> None:
    """`validate_only`. Raises Invalid with the platform's words, Denied, Transient, Unfinished."""
    wanted = service_of(release, own, api.names.service_id)
    name = wanted.template.revision
    service = retry_transient(api.service)
    if service is None:
        wanted.traffic = targets({name: 100}, {})
        retry_transient(lambda: api.create(wanted, validate_only=True))
        return
    wanted.name = service.name
    wanted.traffic = targets(routed(service) or {name: 100}, foreign_tags(service))
    wanted.annotations = service.annotations
    wanted.labels = {**service.labels, **wanted.labels}
    retry_transient(lambda: api.update(wanted, create_fields(own), validate_only=True))
