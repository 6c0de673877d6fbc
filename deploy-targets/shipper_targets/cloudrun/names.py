"""Names on Cloud Run: legal, readable, and the same for the same release. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from shipper.model import Release, Settings
from shipper.model.release import short
from shipper_targets.cloudrun.settings import LONGEST_SERVICE, CloudRunSettings

SERVICE_LABEL, ENVIRONMENT_LABEL = "shipper-service", "shipper-environment"

_OUR_TAG = re.compile(r"n[0-9]+")


@dataclass(frozen=True)
class Names:
    """Full resource names of one service."""

    project: str
    region: str
    service_id: str

    @property
    def parent(self) -> str:
        """The project's location."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def service(self) -> str:
        """The service."""
        return f"{self.parent}/services/{self.service_id}"

    def revision(self, revision_id: str) -> str:
        """One of its revisions."""
        return f"{self.service}/revisions/{revision_id}"


def names_of(settings: Settings, own: CloudRunSettings) -> Names:
    """The service that these settings mean."""
    return Names(own.project, own.region, own.service or service_id(settings))


def service_id(settings: Settings) -> str:
    """`<service>` in production, `<service>-<environment>` elsewhere; what is too long ends in a hash of the whole."""
    service = settings.service
    whole = service.service if service.environment == "production" else f"{service.service}-{service.environment}"
    if len(whole) <= LONGEST_SERVICE:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:6]
    return f"{whole[: LONGEST_SERVICE - 7].rstrip('-')}-{digest}"


def revision_id(service: str, release: Release) -> str:
    """`<service>-<number>-<last 6 of the release id>`: the same for the same release, and never another's.

    A name can be used once for ever, and two releases may have the same content: so it ends in the id's random part,
    and the short digest of what runs is a label. The name stays well below the 63 characters of a DNS label
    (RFC 1035).
    """
    return f"{service}-{release.number}-{release.id[-6:].lower()}"


def tag_of(number: int) -> str:
    """The tag under which a revision is reachable while it has not all of the traffic."""
    return f"n{number}"


def is_our_tag(tag: str) -> bool:
    """Whether shipper sets tags like this; others are left alone."""
    return _OUR_TAG.fullmatch(tag) is not None


def short_name(resource: str) -> str:
    """The last part of a resource's name."""
    return resource.rpartition("/")[2]


def labels_of(settings: Settings, own: CloudRunSettings) -> dict[str, str]:
    """Labels of the service; billing shows them. Names of services and environments are legal values as they are."""
    service = settings.service
    return {**own.labels, SERVICE_LABEL: service.service, ENVIRONMENT_LABEL: service.environment}


def owner_of(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """The service and environment whose Cloud Run service this is; None when shipper has not written there yet.

    "shop" in staging and "shop-staging" in production have the same name here, and one of them has to choose another.
    """
    service, environment = labels.get(SERVICE_LABEL), labels.get(ENVIRONMENT_LABEL)
    return (service, environment) if service and environment else None


def release_labels(release: Release, own: CloudRunSettings) -> dict[str, str]:
    """Labels of a revision."""
    digest = short(release.main.config_digest)
    return {**labels_of(release.settings, own), "shipper-number": str(release.number), "shipper-digest": digest}
