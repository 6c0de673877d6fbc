"""What stages ask of the engine that builds and holds images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from shipper.model import Image, ImageSettings, ServiceSettings, Source
from shipper.model.context import Cancellation, Reporter
from shipper.model.secret import Secret


@dataclass(frozen=True)
class BuildRequest:
    """One build."""

    service: ServiceSettings
    image: ImageSettings
    source: Source
    platform: str
    secrets: tuple[Secret, ...] = ()


@runtime_checkable
class Engine(Protocol):
    """A Docker engine with BuildKit."""

    def build(self, request: BuildRequest, report: Reporter, cancel: Cancellation) -> Image:
        """Build exactly one image. Raises errors.BuildError with the last 40 lines, UnreachableError."""

    def has(self, image: Image) -> bool:
        """Whether these very bytes are still on the engine."""

    def archive(self, image: Image, report: Reporter, cancel: Cancellation) -> Path:
        """The image saved as a tar, once per image and run: scan and size share it. Config digest checked."""

    def prune(self, service: str) -> tuple[str, ...]:
        """Remove our own old tags of this service, except the newest five and what any container uses."""

    def hosts_services(self) -> bool:
        """Whether services of ours run on this engine too: then its images may be their way back."""

    def world(self) -> str:
        """What a build's result depends on besides its inputs: engine id, version and image store."""


class PullLogin(Protocol):
    """Credentials for the pull of one image."""

    def __call__(self) -> Mapping[str, str] | None:
        """As the engine's API takes them; None leaves it to the docker SDK. Raises CredentialsError."""

    def renew(self) -> bool:
        """They were refused: whether there are others now."""


PullLogins = Callable[[str, Cancellation], PullLogin | None]
"""Reference -> its credentials; None where the docker SDK finds them itself."""


@runtime_checkable
class AdmitsImages(Protocol):
    """An engine that takes an image which exists already, on it or in a registry."""

    def admit(self, reference: str, service: str, platform: str, report: Reporter, cancel: Cancellation) -> Image:
        """That image under its own name on the engine. Raises errors.UsageError when there is none, or for another
        platform; CredentialsError, UnreachableError, PublishError."""
