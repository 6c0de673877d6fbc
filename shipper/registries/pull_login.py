"""Credentials for the engine's pull of an image that exists already."""

from __future__ import annotations

from shipper.model.context import Cancellation
from shipper.registries.artifact_repository import is_google
from shipper.registries.login import Login
from shipper.registries.names import parse_repository
from shipper.registries.refusals import NoCredentials


def pull_login(reference: str, cancel: Cancellation) -> PullLogin | None:
    """For an image of Google's registries; None elsewhere: the docker SDK itself finds what `docker login` left."""
    repository = parse_repository(reference)
    return PullLogin(Login(repository, cancel)) if is_google(repository.registry) else None


class PullLogin:
    """Implements shipper.images.protocol.PullLogin. Without any credentials a public image can still be pulled."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def __call__(self) -> dict[str, str] | None:
        """As the engine's API takes them. Raises CredentialsError, UnreachableError."""
        try:
            found = self._login()
        except NoCredentials:
            return None
        return found.for_engine() if found is not None else None

    def renew(self) -> bool:
        """They were refused: whether there are others now. Raises as a call does."""
        try:
            return self._login.renew()
        except NoCredentials:
            return False
