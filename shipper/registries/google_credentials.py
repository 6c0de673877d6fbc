"""Application default credentials of Google, as a registry takes them: user `oauth2accesstoken`, password the token.

google-auth finds them: a service account key, workload identity federation (GitHub's OIDC), gcloud's user
credentials, the metadata server (https://cloud.google.com/docs/authentication/application-default-credentials).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from shipper.errors import CredentialsError, UnreachableError, caused_by
from shipper.registries.credentials import Credentials
from shipper.registries.refusals import NoCredentials
from shipper.targets.google_auth import asking, default_credentials

USER = "oauth2accesstoken"

ENOUGH = 600.0
"""Seconds of life that a token must have left before a push begins: a model's layers take minutes, an upload that
outlives its token starts over, and a token lives for an hour, so that a new one is had at most six times in it."""

_LOOKED_FOR = (
    "GOOGLE_APPLICATION_CREDENTIALS: a service account key, or the file of workload identity federation",
    "gcloud's user credentials (application_default_credentials.json)",
    "the metadata server of a machine in Google Cloud",
)


class GoogleCredentials:
    """Finds them when they are first needed, and keeps their token."""

    def __init__(self) -> None:
        self._found: Any = None

    def login(self, *, renew: bool = False) -> Credentials:
        """A token with at least ENOUGH seconds left (or as many as its giver gives); `renew`: a new one in any case.

        Raises CredentialsError (NoCredentials when there are none), UnreachableError.
        """
        with google_errors():
            credentials = self.for_api()
            if renew or credentials.token is None or _seconds_left(credentials) < ENOUGH:
                with _readable():
                    credentials.refresh(asking())
            return Credentials(USER, str(credentials.token))

    def for_api(self) -> Any:
        """google.auth.credentials.Credentials, scoped, for Google's own client libraries. Raises as `login`."""
        if self._found is None:
            with google_errors(), _readable():
                self._found = default_credentials()
        return self._found


@contextmanager
def google_errors() -> Iterator[None]:
    """What google-auth raises, as ours: wrong or missing credentials 32, an endpoint that does not answer 33."""
    try:
        from google.auth import exceptions
    except ImportError as error:
        raise NoCredentials(
            "Google's credentials cannot be used: google-auth is not installed",
            hint='in a checkout of shipper: pip install ".[gcp]"; or log in with docker login',
        ) from error
    try:
        yield
    except exceptions.DefaultCredentialsError as error:
        raise _none_found(error) from error
    except (exceptions.RefreshError, exceptions.OAuthError) as error:
        raise _no_token(error) from error
    except exceptions.TransportError as error:
        raise _not_reached(error) from error
    except exceptions.GoogleAuthError as error:
        raise CredentialsError(
            f"Google's credentials cannot be used: {_first_line(error)}",
            hint="check the file that GOOGLE_APPLICATION_CREDENTIALS names",
        ) from error


@contextmanager
def _readable() -> Iterator[None]:
    """Around google-auth alone: what it raises, as Python's own errors, for files that are not what they should be."""
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise _not_reached(error) from error
    except OSError as error:  # so requests tells of a bundle that is not there
        raise CredentialsError(
            f"Google's credentials cannot be used: {_first_line(error)}",
            hint="check REQUESTS_CA_BUNDLE, and the file that GOOGLE_APPLICATION_CREDENTIALS names",
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a JSON list, a field of another type
        from google.auth.exceptions import GoogleAuthError

        if isinstance(error, GoogleAuthError):
            raise
        raise CredentialsError(
            f"Google's credentials cannot be used: their file has another form than Google's ({_said(error)})",
            hint="check the file that GOOGLE_APPLICATION_CREDENTIALS names",
        ) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _none_found(error: Exception) -> CredentialsError:
    said = _first_line(error)
    hint = "gcloud auth application-default login; in CI the action google-github-actions/auth"
    if "default credentials were not found" in said:
        return NoCredentials("there are no Google credentials here", hint=hint, details=_LOOKED_FOR)
    return CredentialsError(f"Google's credentials cannot be used: {said}", hint=hint)


def _no_token(error: Any) -> CredentialsError | UnreachableError:
    from google.auth import exceptions

    if error.retryable or caused_by(error.__cause__ or Exception(), exceptions.TransportError):
        return _not_reached(error)
    return CredentialsError(
        f"Google gives no token for these credentials: {_first_line(error)}",
        hint="they were revoked or are out of date: gcloud auth application-default login, or a new key",
    )


def _not_reached(error: Exception) -> UnreachableError:
    return UnreachableError(
        f"Google's token endpoint does not answer: {_first_line(error)}",
        hint="try again; is the network there, and its proxy right?",
    )


def _first_line(error: Exception) -> str:
    said = str(error.args[0]) if error.args else ""
    return (said.strip().splitlines() or [type(error).__name__])[0][:200]


def _seconds_left(credentials: Any) -> float:
    """Of the token's life; google-auth's `expiry` is UTC without saying so."""
    if credentials.expiry is None:
        return float("inf")
    return float(credentials.expiry.replace(tzinfo=UTC).timestamp() - time.time())
