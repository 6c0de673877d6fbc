"""An image that exists already: found on the engine or pulled, described as if it had just been built here."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shipper.errors import CredentialsError, PublishError, ShipperError, UnreachableError, UsageError
from shipper.images.connection import engine_errors, open_client
from shipper.images.local import reference_of
from shipper.images.platform import platform_of, same_platform
from shipper.images.stream import follow
from shipper.model import Image
from shipper.model.context import Cancellation, Reporter
from shipper.model.json_text import parse_json

if TYPE_CHECKING:
    from shipper.images.engine import DockerEngine

NO_SOURCE = "sha256:" + "0" * 64
"""The source digest of an image that was not built in this run: nothing is known about its sources."""


def admit(
    engine: DockerEngine, reference: str, service: str, platform: str, report: Reporter, cancel: Cancellation
) -> Image:
    """The image behind `reference`, under its own name `shipper.local/<service>:…` on this engine.

    Raises UsageError (2) when there is no such image or it is for another platform, CredentialsError (32),
    UnreachableError (33), PublishError when the engine cannot give it.
    """
    if _inspected(engine, reference) is None:
        _pull(engine, reference, platform, report, cancel)
    found = _inspected(engine, reference)
    if found is None:
        raise UsageError(f"there is no image {reference}", hint="`docker images` and the registry show what there is")
    _require_platform(reference, platform_of(found), platform)
    config_digest = found["Id"] if engine.store == "classic" else _config_digest(engine, found["Id"], cancel)
    own_name = reference_of(service, config_digest)
    with engine_errors("the image cannot be named on the engine", PublishError):
        repository, _, tag = own_name.rpartition(":")
        engine.client.api.tag(found["Id"], repository, tag)
    return Image(
        config_digest=config_digest,
        source_digest=NO_SOURCE,
        platform=platform_of(found),
        engine_id=found["Id"],
        reference=own_name,
        diff_ids=tuple((found.get("RootFS") or {}).get("Layers") or ()),
        size=engine.uncompressed_size(found),
        user=(found.get("Config") or {}).get("User") or "",
        cached=True,
    )


class PullRefused(CredentialsError):
    """The registry does not give the image to whom it takes us for."""


def _inspected(engine: DockerEngine, reference: str) -> dict[str, Any] | None:
    import docker.errors

    api: Any = engine.client.api
    with engine_errors(f"the engine cannot be asked for {reference}", UsageError):
        try:
            return dict(api.inspect_image(reference))
        except docker.errors.ImageNotFound:
            return None


def _pull(engine: DockerEngine, reference: str, platform: str, report: Reporter, cancel: Cancellation) -> None:
    """Through the engine, with Docker's own credentials or those that a login finds; refused ones are had anew."""
    login = engine.logins(reference, cancel) if engine.logins is not None else None
    report.progress(f"pulling {reference}")
    while True:
        try:
            return _pull_with(engine, reference, platform, login() if login is not None else None, report, cancel)
        except PullRefused:
            if login is None or not login.renew():
                raise


def _pull_with(
    engine: DockerEngine,
    reference: str,
    platform: str,
    auth: Mapping[str, str] | None,
    report: Reporter,
    cancel: Cancellation,
) -> None:
    """A cancelled pull ends when the connection is closed."""
    import docker.errors

    with engine_errors(f"{reference} cannot be pulled", PublishError):
        client = open_client(engine.docker_host, timeout=None)

    def pulled() -> Iterator[dict[str, Any]]:
        try:
            api: Any = client.api
            yield from api.pull(reference, platform=platform, stream=True, decode=True, auth_config=auth)
        except docker.errors.APIError as error:
            raise _not_pulled(reference, str(error.explanation or error)) from error

    layers: dict[str, tuple[int, int]] = {}
    try:
        for step in follow(pulled, cancel):
            if "error" in step:
                raise _not_pulled(reference, str(step["error"]))
            _tell(step, layers, report)
    finally:
        client.close()


def _not_pulled(reference: str, words: str) -> ShipperError:
    """What the engine says in words, as ours: not permitted (32), no such image (2), else not reached (33)."""
    said = (
        f"{reference} cannot be pulled: {words.strip().splitlines()[0][:200] if words.strip() else 'no reason given'}"
    )
    lower = words.lower()
    if any(word in lower for word in ("unauthorized", "authentication required", "denied", "forbidden")):
        return PullRefused(said, hint="is it spelled right? for a private one: `docker login`")
    if any(word in lower for word in ("manifest unknown", "not found", "does not exist", "invalid reference")):
        return UsageError(said, hint="is it spelled right? `docker images` shows what is on the engine")
    return UnreachableError(said, hint="does its registry answer from the engine? try `docker pull`")


def _tell(step: dict[str, Any], layers: dict[str, tuple[int, int]], report: Reporter) -> None:
    detail = step.get("progressDetail") or {}
    if step.get("id") and detail.get("total"):
        layers[str(step["id"])] = (int(detail.get("current") or 0), int(detail["total"]))
        done, total = (sum(numbers) for numbers in zip(*layers.values(), strict=True))
        report.progress(f"pulling, {len(layers)} layers", float(done), float(total), "bytes")


def _require_platform(reference: str, found: str, wanted: str) -> None:
    if not same_platform(found, wanted):
        raise UsageError(
            f"{reference} is for {found}, the target runs {wanted}", hint="give the image of the target's platform"
        )


def _config_digest(engine: DockerEngine, engine_id: str, cancel: Cancellation) -> str:
    """In the containerd store an id is a manifest digest; the saved image's own manifest names the config."""
    with engine_errors("the engine cannot save the image", PublishError):
        client = open_client(engine.docker_host, timeout=None)

    def saved() -> Iterator[bytes]:
        with engine_errors("the engine cannot save the image", PublishError):
            yield from client.api.get_image(engine_id)

    try:
        with tarfile.open(fileobj=_Readable(follow(saved, cancel)), mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                content = archive.extractfile(member) if member.name == "manifest.json" else None
                if content is not None:
                    named = str(parse_json(content.read())[0]["Config"])
                    return "sha256:" + named.rpartition("/")[2].removesuffix(".json")
    except (tarfile.TarError, ValueError, KeyError, IndexError) as error:
        raise PublishError("the engine's image cannot be read", hint="does `docker save` work?") from error
    finally:
        client.close()
    raise PublishError("the saved image has no manifest", hint="does `docker save` work?")


class _Readable:
    """Chunks as a file that tarfile can read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; fewer only at the end."""
        while len(self._left) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._left += chunk
        data, self._left = self._left[:size], self._left[size:]
        return data
