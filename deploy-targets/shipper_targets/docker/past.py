"""What the host still has of earlier releases: their records, and what they need to come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shipper.model import Release, Restorable
from shipper.model.secret import Secret
from shipper.targets import NotFound, PlatformError, TargetContext, UsageError, retry_transient
from shipper_targets.docker import images
from shipper_targets.docker.containers import Containers
from shipper_targets.docker.engine import translated
from shipper_targets.docker.proxy import Proxy
from shipper_targets.docker.records import from_labels, read_record
from shipper_targets.docker.render import revision_name
from shipper_targets.docker.secret_volumes import SecretVolumes, gone
from shipper_targets.docker.waiting import patiently

if TYPE_CHECKING:
    from docker import DockerClient


class Past:
    """The earlier releases of one service on one host. Never writes."""

    def __init__(
        self,
        client: DockerClient,
        context: TargetContext,
        proxy: Proxy,
        containers: Containers,
        secrets: SecretVolumes,
    ) -> None:
        self._client = client
        self._context = context
        self._proxy = proxy
        self._containers = containers
        self._secrets = secrets

    def records(self) -> list[Release]:
        """Oldest first, from the host's files; for a container without one, from its labels."""
        releases: dict[str, Release] = {}
        for text in retry_transient(self._proxy.records):
            release = read_record(text)
            if release is not None:
                releases[release.id] = release
            elif self._context.report is not None:
                self._context.report.remark("a newer shipper left a record on the host that this one cannot read")
        for found in retry_transient(self._containers.all):
            releases.setdefault(found.release, from_labels(found))
        return sorted(releases.values(), key=lambda release: (release.number, release.id))

    def restorable(self, release: Release) -> Restorable:
        """Its container, else its image (here, or in the registry by digest) and its volume of secret values."""
        found = retry_transient(lambda: self._containers.named(revision_name(release)))
        if found is not None and found.status != "dead":
            return Restorable(warm=found.status == "running")
        problems = [self._missing_image(release), self._missing_secrets(release)]
        return Restorable(problems=tuple(problem for problem in problems if problem))

    def values(self, release: Release) -> Sequence[Secret]:
        """The values on this machine, if they are those of the release: never others under its versions."""
        secrets = self._context.secrets
        try:
            if release.secret_versions in (secrets.versions(self._proxy.secret_key()), secrets.versions()):
                return secrets.run()
        except UsageError:
            pass  # a reference of then has no value here
        return ()

    def _missing_secrets(self, release: Release) -> str:
        """Empty when the volume is there and whole: a record is written after its volume was filled."""
        versions = release.secret_versions
        if not versions or self.values(release):
            return ""
        if self._secrets.have(versions) and any(record.secret_versions == versions for record in self.records()):
            return ""
        return f"{gone(versions)}: pass --secrets current to go on with those of now"

    def _missing_image(self, release: Release) -> str:
        image = release.main
        if images.find(self._client, image.config_digest) is not None:
            return ""
        if image.manifest_digest is None:
            return f"the image {image.reference} is not on the host any more and was never in a registry"
        api: Any = self._client.api
        try:
            with translated(f"ask for {image.reference}"):
                patiently(lambda: api.inspect_distribution(image.reference), self._context.cancel)
        except NotFound:
            return f"the image {image.reference} is neither on the host nor in its registry any more"
        except PlatformError as error:
            return f"the image {image.reference} is not on the host any more, and its registry: {error}"
        return ""
