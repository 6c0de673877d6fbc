"""Pushing through the engine, which holds the layers, with progress in bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shipper.errors import PublishError, ShipperError, Transient
from shipper.images.connection import engine_errors
from shipper.images.stream import follow
from shipper.model.context import Cancellation, Reporter
from shipper.registries.artifact_repository import artifact_repository
from shipper.registries.credentials import Credentials
from shipper.registries.names import Repository
from shipper.registries.refusals import denied, unauthorized

if TYPE_CHECKING:
    from docker import DockerClient

_UNAUTHORIZED = re.compile(r"unauthorized|authentication required|no basic auth|\b401\b", re.IGNORECASE)
_DENIED = re.compile(r"denied|insufficient_scope|forbidden|\b403\b", re.IGNORECASE)
_TRANSIENT = re.compile(
    r"timeout|timed out|connection refused|connection reset|no such host|broken pipe|unexpected eof|: eof$"
    r"|too many requests|temporar|network is unreachable|\b(?:429|50[0-9])\b|received unexpected http status: 5",
    re.IGNORECASE,
)
_MISSING = re.compile(r"name[_ ]unknown|repository .*(?:does not exist|not found)", re.IGNORECASE)
_PLAIN_HTTP = re.compile(r"server gave http response to https client", re.IGNORECASE)
_IMMUTABLE = re.compile(r"immutab(?:le|ility)", re.IGNORECASE)


def push(
    client: DockerClient,
    repository: Repository,
    name: str,
    tag: str,
    credentials: Credentials | None,
    report: Reporter,
    cancel: Cancellation,
) -> None:
    """Push `name:tag`, which the engine must know. `client` should have no time-out: layers take their time.

    Raises errors.Transient when it may work the next time, CredentialsError, PublishError, UnreachableError.
    """
    auth = credentials.for_engine() if credentials is not None else {}
    api: Any = client.api
    layers = _Layers(report)
    for message in _messages(api, name, tag, auth, cancel):
        if error := message.get("error"):
            detail = message.get("errorDetail") or {}
            raise push_failure(repository, str(detail.get("message") or error))
        layers.take(message)


def _messages(
    api: Any, name: str, tag: str, auth: Mapping[str, str], cancel: Cancellation
) -> Iterator[Mapping[str, Any]]:
    with engine_errors("the engine cannot push", PublishError):
        yield from follow(lambda: api.push(name, tag=tag, stream=True, decode=True, auth_config=auth), cancel)


def push_failure(repository: Repository, said: str) -> ShipperError | Transient:
    """What the engine's words mean. Refused credentials are never tried again."""
    words = " ".join(said.split())[:300]
    if _PLAIN_HTTP.search(words):
        return PublishError(
            f"the registry {repository.registry} has no encryption, and is not on this machine",
            hint="give it a certificate: plain http is for registries on this machine",
        )
    if _IMMUTABLE.search(words):
        return PublishError(f"the tag is immutable and holds another image: {words}", hint="release from a new commit")
    if _MISSING.search(words):
        return missing(repository)
    if _DENIED.search(words):
        return denied(repository, words)
    if _UNAUTHORIZED.search(words):
        return unauthorized(repository, words)
    if _TRANSIENT.search(words):
        return Transient(words)
    return PublishError(f"the engine could not push to {repository.registry}: {words}", hint="docker push shows more")


def missing(repository: Repository) -> PublishError:
    """There is no such repository, and the registry does not make one by itself."""
    place = artifact_repository(repository)
    if place is None:
        return PublishError(
            f"the registry {repository.registry} has no repository {repository.path}", hint="create it first"
        )
    return PublishError(
        f"Artifact Registry has no repository {place.resource}",
        hint="set create_repository = true under [image], or make it with the command below",
        details=(place.create_command,),
    )


class _Layers:
    """Bytes of all layers together, as the engine tells them."""

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._sizes: dict[str, tuple[float, float]] = {}

    def take(self, message: Mapping[str, Any]) -> None:
        layer, status = str(message.get("id") or ""), str(message.get("status") or "")
        detail = message.get("progressDetail") or {}
        if not layer:
            return
        if status == "Pushing" and detail.get("total"):
            self._sizes[layer] = (
                min(float(detail.get("current") or 0), float(detail["total"])),
                float(detail["total"]),
            )
        elif status in ("Pushed", "Layer already exists"):
            total = self._sizes.get(layer, (0.0, 0.0))[1]
            self._sizes[layer] = (total, total)
        else:
            return
        done, total = (sum(column) for column in zip(*self._sizes.values(), strict=True))
        if total:
            self._report.progress("pushing the layers", done, total, "bytes")
