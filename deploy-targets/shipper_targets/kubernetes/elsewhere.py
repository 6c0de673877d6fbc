"""Where nothing is found, the same service may be there in another environment: who forgot --env is told."""

from __future__ import annotations

from shipper.model import Settings
from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.labels import SERVICE, label_query, owner_of
from shipper_targets.kubernetes.values import mapping


def elsewhere(api: Api, kind: Kind, settings: Settings) -> tuple[str, ...]:
    """A remark for each other environment of this service in the namespace, by its objects of `kind`. Best effort: ()
    for who may not look. Raises Transient.
    """
    service = settings.service
    try:
        there = api.list_metadata(kind, labels=label_query({SERVICE: service.service})).items
    except Denied:
        return ()
    owners = (owner_of(mapping(one, "metadata", "labels")) for one in there)
    others = {owner[1] for owner in owners if owner is not None} - {service.environment}
    return tuple(f"{service.service} is in this namespace in {name}: --env {name}" for name in sorted(others))
