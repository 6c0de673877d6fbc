"""Credentials for one repository, looked for again whenever they are needed: Docker's first, then Google's own."""

from __future__ import annotations

from shipper.errors import CredentialsError
from shipper.model.context import Cancellation
from shipper.registries.artifact_repository import is_google
from shipper.registries.credentials import Credentials, HelperFailed, find_credentials
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
        self._refused: set[Credentials] = set()
        self._renewals = 0

    def __call__(self) -> Credentials | None:
        """What Docker's configuration has for this registry, otherwise a token where the registry is Google's.

        Raises CredentialsError, UnreachableError.
        """
        self._given = self._find(renew=False)
        return self._given

    def renew(self) -> bool:
        """The registry does not know what was given last (any more): whether there is something else now.

        A helper of Docker's is asked again, a token of Google's is had anew. At a registry of Google's that refuses
        what Docker's configuration still has (`docker login -u oauth2accesstoken` leaves a token of an hour), Google's
        own are the next to try. Raises as a call does.
        """
        if self._renewals == RENEWALS:
            return False
        self._renewals += 1
        before = self._given
        if before is not None:
            self._refused.add(before)
        self._given = self._find(renew=True)
        return self._given != before

    def _find(self, *, renew: bool) -> Credentials | None:
        if not is_google(self._repository.registry):
            return find_credentials(self._repository, self._cancel)
        try:
            stored = find_credentials(self._repository, self._cancel)
        except HelperFailed as failure:
            return self._without_helper(failure, renew=renew)
        if stored is None:
            return self.google.login(renew=renew)
        return self._instead_of(stored, renew=renew) if stored in self._refused else stored

    def _without_helper(self, failure: HelperFailed, *, renew: bool) -> Credentials:
        """Google's own; where these are no use either, the helper is what somebody has set up and must repair."""
        try:
            return self.google.login(renew=renew)
        except CredentialsError as error:
            details = (*failure.details, error.message)
            raise HelperFailed(failure.message, hint=failure.hint, details=details) from error

    def _instead_of(self, refused: Credentials, *, renew: bool) -> Credentials:
        """Google's own; where these are no use, what was refused stays the thing to tell about."""
        try:
            return self.google.login(renew=renew)
        except CredentialsError:
            return refused
