"""Any OCI registry: push through the engine, then prove with the registry itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from shipper.errors import PublishError
from shipper.images.connection import engine_errors, open_client
from shipper.model import Image, ImageRef
from shipper.model.context import Cancellation, Reporter
from shipper.registries.artifact_repository import artifact_repository
from shipper.registries.login import Login
from shipper.registries.names import Repository, parse_repository
from shipper.registries.proof import another_image, require_digest, require_tested
from shipper.registries.push import push
from shipper.registries.reader import RegistryReader
from shipper.registries.refusals import Unauthorized
from shipper.registries.retrying import retried


class OciRegistry:
    """Implements shipper.registries.protocol.Registry. `docker_host` is the engine that holds the images; without it
    the one that the docker command would use. `create_for`: make a missing repository of Artifact Registry, and have
    that keep so many releases (`[rollback] releases`); None leaves repositories alone."""

    def __init__(self, docker_host: str | None = None, *, create_for: int | None = None) -> None:
        self._docker_host = docker_host
        self._create_for = create_for

    def publish(self, image: Image, repository: str, tag: str, report: Reporter, cancel: Cancellation) -> ImageRef:
        """Push the image as `repository:tag` unless that is there already, then prove it.

        Raises PublishError when the registry then holds anything else, CredentialsError (never tried again, but for
        a token that expired), UnreachableError after a few attempts.
        """
        place = parse_repository(repository)
        login = Login(place, cancel)
        if self._create_for is not None:
            _ensure(place, login, self._create_for, report, cancel)
        with _reader(place, login) as reader:
            report.progress(f"looking into {place.registry}")
            if _is_there(reader, image, place, tag, cancel):
                report.progress(f"{place.registry} has this image already")
            else:
                self._push(place, login, image, repository, tag, report, cancel)
                report.progress(f"proving what {place.registry} holds")
            return retried(lambda: _proved(reader, image, repository, tag), place, cancel)

    def prove(self, image: Image, repository: str, reference: str) -> ImageRef:
        """What `repository` holds under a tag or digest is exactly one manifest of the tested image.

        Raises PublishError, CredentialsError, UnreachableError.
        """
        place = parse_repository(repository)
        with _reader(place, Login(place)) as reader:
            return _proved(reader, image, repository, reference)

    def _push(
        self,
        place: Repository,
        login: Login,
        image: Image,
        repository: str,
        tag: str,
        report: Reporter,
        cancel: Cancellation,
    ) -> None:
        # Without a time-out of its own: between two messages a large layer may take its time.
        with contextlib.closing(open_client(self._docker_host, timeout=None)) as client:
            with engine_errors("the engine cannot name the image for the push", PublishError):
                client.api.tag(image.engine_id, repository, tag)

            def once() -> None:
                while True:
                    try:
                        return push(client, place, repository, tag, login(), report, cancel)
                    except Unauthorized:
                        if not login.renew():
                            raise
                        report.progress("logging in again")  # what is up there already is not sent again

            retried(once, place, cancel)


def _ensure(place: Repository, login: Login, releases: int, report: Reporter, cancel: Cancellation) -> None:
    there = artifact_repository(place)
    if there is None:
        report.remark(f"create_repository is for Artifact Registry: {place.registry} is left as it is")
        return
    from shipper.registries.artifact_registry import ArtifactRegistry

    ArtifactRegistry(login.google, there, place).ensure(releases, report, cancel)


def _is_there(reader: RegistryReader, image: Image, place: Repository, tag: str, cancel: Cancellation) -> bool:
    """Whether the tag holds this image already. Anything else under it will be replaced by the push."""
    held = retried(lambda: reader.manifest(tag), place, cancel)
    return held is not None and another_image(image, held, tag) is None


def _proved(reader: RegistryReader, image: Image, repository: str, reference: str) -> ImageRef:
    by_name = reader.manifest(reference)
    separator = "@" if ":" in reference else ":"
    name = f"{repository}{separator}{reference}"
    if by_name is None:
        raise PublishError(f"the registry holds nothing under {name}", hint="was it deleted? release again")
    if separator == "@":
        require_digest(by_name, reference, name)
    require_tested(image, by_name, name)
    by_digest = reader.manifest(by_name.digest)
    if by_digest is None:
        raise PublishError(
            f"the registry does not find {name} by its digest {by_name.digest}", hint="do not use this registry"
        )
    require_digest(by_digest, by_name.digest, name)
    return ImageRef(
        config_digest=image.config_digest,
        manifest_digest=by_digest.digest,
        reference=f"{repository}@{by_digest.digest}",
        platform=image.platform,
        size=image.size,
    )


@contextlib.contextmanager
def _reader(place: Repository, login: Login) -> Iterator[RegistryReader]:
    with contextlib.closing(RegistryReader(place, login, login.renew)) as reader:
        yield reader
