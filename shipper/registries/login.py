"""Credentials for one repository, looked for again whenever they are needed: Docker's first, then Google's own."""

from __future__ import annotations

from shipper.model.context import Cancellation
from shipper.registries.artifact_repository import is_google
from shipper.registries.credentials import Credentials, find_credentials
from shipper.registries.google_credentials import GoogleCredentials
from shipper.registries.names import Repository

RENEWALS = 3
"""How often refused credentials are had anew: a push that outlives three tokens of an hour has another trouble."""


class Login:
    """Call it for credentials that are good now; None is anonymous."""

    def __init__(self, repository: Repository, cancel: Cancellation | None = None) -> None:
        self.google = GoogleCredentials()
        self._repository = repository
        self._cancel = cancel
        self._given: Credentials | None = None
        self._renewals = 0

    def __call__(self) -> Credentials | None:
        """What Docker's configuration has for this registry, otherwise a token where the registry is Google's.

        Raises CredentialsError, UnreachableError.
        """
        self._given = self._find(renew=False)
        return self._given

    def renew(self) -> bool:
        """The registry does not know what was given last (any more): whether there is something else now.

        A helper of Docker's is asked again, a token of Google's is had anew. Raises as a call does.
        """
        if self._renewals == RENEWALS:
            return False
        self._renewals += 1
        before, self._given = self._given, self._find(renew=True)
        return self._given != before

    def _find(self, *, renew: bool) -> Credentials | None:
        stored = find_credentials(self._repository, self._cancel)
        if stored is not None or not is_google(self._repository.registry):
            return stored
        return self.google.login(renew=renew)
