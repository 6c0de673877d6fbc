"""Earlier releases: whether their revision, image and secret values are still there. Never writes."""

from __future__ import annotations

from shipper.model import Release, Restorable
from shipper.model.context import Reporter
from shipper.targets import NotFound, PlatformError, retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.hosts import docker_image_name
from shipper_targets.cloudrun.names import revision_id
from shipper_targets.cloudrun.observing import state_of
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.secret_manager import SecretManager

ARTIFACT_REGISTRY = "artifactregistry.googleapis.com"


class Past:
    """Of one service. What cannot be told, for want of a permission, is told as a remark and is no problem."""

    def __init__(self, api: Api, rest: Rest, secrets: SecretManager, report: Reporter | None) -> None:
        self._api = api
        self._rest = rest
        self._secrets = secrets
        self._report = report

    def restorable(self, release: Release) -> Restorable:
        """Warm while its revision is ready; else it needs its image. In both cases it needs the enabled versions of its
        secrets: each new instance of a ready revision reads them, and without them does not start.
        """
        found = retry_transient(lambda: self._api.revision(revision_id(self._api.names.service_id, release)))
        warm = found is not None and state_of(found) == "running"
        problems = ["" if warm else self._image(release)]
        problems += [self._secret(*each) for each in release.secret_versions.items()]
        gone = tuple(problem for problem in problems if problem)
        return Restorable(warm=warm and not gone, problems=gone)

    def _image(self, release: Release) -> str:
        name = docker_image_name(release.main.reference)
        if name is None:
            return ""  # of other registries nothing can be asked with our credentials: creating it will tell
        doing = f"look for the image of release {release.number}"
        try:
            retry_transient(lambda: self._rest.get(doing, ARTIFACT_REGISTRY, f"/v1/{name}"))
        except NotFound:
            return f"the image {release.main.reference} is not in its registry any more"
        except PlatformError as error:
            self._remark(f"whether the image of #{release.number} is still there cannot be told: {error}")
        return ""

    def _secret(self, name: str, version: str) -> str:
        try:
            return self._secrets.gone(name, version)
        except PlatformError as error:
            self._remark(f"whether the value of {name} of then is still there cannot be told: {error}")
        return ""

    def _remark(self, text: str) -> None:
        if self._report is not None:
            self._report.remark(text)
