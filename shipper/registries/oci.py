"""Any OCI registry: push through the engine, then prove with the registry itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from shipper.errors import PublishError, Transient, UnreachableError
from shipper.images.connection import engine_errors, open_client
from shipper.images.stream import awaited
from shipper.model import Image, ImageRef
from shipper.model.context import Cancellation, Reporter
from shipper.registries.credentials import Credentials, find_credentials
from shipper.registries.names import Repository, parse_repository
from shipper.registries.proof import another_image, require_digest, require_tested
from shipper.registries.push import push
from shipper.registries.reader import RegistryReader

Result = TypeVar("Result")

ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt, then doubling, with jitter: together at most 4 s. The engine itself has tried
each layer five times by then."""


class OciRegistry:
    """Implements shipper.registries.protocol.Registry. `docker_host` is the engine that holds the images; without it
    the one that the docker command would use."""

    def __init__(self, docker_host: str | None = None) -> None:
        self._docker_host = docker_host

    def publish(self, image: Image, repository: str, tag: str, report: Reporter, cancel: Cancellation) -> ImageRef:
        """Push the image as `repository:tag` unless that is there already, then prove it.

        Raises PublishError when the registry then holds anything else, CredentialsError (never tried again),
        UnreachableError after a few attempts.
        """
        place = parse_repository(repository)
        with _reader(place, cancel) as reader:
            report.progress(f"looking into {place.registry}")
            if _is_there(reader, image, place, tag, cancel):
                report.progress(f"{place.registry} has this image already")
            else:
                self._push(place, image, repository, tag, report, cancel)
                report.progress(f"proving what {place.registry} holds")
            return retried(lambda: _proved(reader, image, repository, tag), place, cancel)

    def prove(self, image: Image, repository: str, reference: str) -> ImageRef:
        """What `repository` holds under a tag or digest is exactly one manifest of the tested image.

        Raises PublishError, CredentialsError, UnreachableError.
        """
        with _reader(parse_repository(repository), None) as reader:
            return _proved(reader, image, repository, reference)

    def _push(
        self, place: Repository, image: Image, repository: str, tag: str, report: Reporter, cancel: Cancellation
    ) -> None:
        credentials = find_credentials(place, cancel)
        # Without a time-out of its own: between two messages a large layer may take its time.
        with contextlib.closing(open_client(self._docker_host, timeout=None)) as client:
            with engine_errors("the engine cannot name the image for the push", PublishError):
                client.api.tag(image.engine_id, repository, tag)
            retried(lambda: push(client, place, repository, tag, credentials, report, cancel), place, cancel)


def retried(call: Callable[[], Result], place: Repository, cancel: Cancellation) -> Result:
    """`call()`, made again a few times while the registry does not answer. Cancellation ends a wait at once."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    retrying = Retrying(
        retry=retry_if_exception_type((Transient, UnreachableError)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=FIRST_WAIT, max=5),
        sleep=lambda seconds: _wait(seconds, cancel),
        reraise=True,
    )
    try:
        result: Result = retrying(awaited, call, cancel)
    except Transient as error:
        raise UnreachableError(
            f"the registry {place.registry} could not be pushed to, {ATTEMPTS} times: {error}",
            hint="try again; nothing was deployed",
        ) from error
    return result


def _wait(seconds: float, cancel: Cancellation) -> None:
    cancel.wait(seconds)
    cancel.check()


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
def _reader(place: Repository, cancel: Cancellation | None) -> Iterator[RegistryReader]:
    def credentials() -> Credentials | None:
        return find_credentials(place, cancel)

    with contextlib.closing(RegistryReader(place, credentials)) as reader:
        yield reader
