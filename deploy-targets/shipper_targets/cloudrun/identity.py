"""Identity tokens: what lets us in where a service asks who is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from shipper.targets import Denied
from shipper.targets.google_auth import asking
from shipper_targets.cloudrun.clients import Clients
from shipper_targets.cloudrun.google_errors import translated
from shipper_targets.cloudrun.rest import Rest

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

HOST = "iamcredentials.googleapis.com"
HEADER = "X-Serverless-Authorization"
"""Cloud Run looks at this one only where both are there, so that a request's own Authorization reaches the service
(run/docs/authenticating/service-to-service; GoogleCloudPlatform/cloud-run-proxy#25).
"""

KEPT = 1800.0
"""Seconds that a token is used again; it lives an hour."""

LEFT = 300.0
"""Seconds that a person's token, which is older than our asking for it, must still be good for."""


class Identity:
    """Tokens for one audience at a time, made from whatever credentials there are."""

    def __init__(self, clients: Clients, rest: Rest) -> None:
        self._clients = clients
        self._rest = rest
        self._tokens: dict[str, tuple[float, str]] = {}

    def headers(self, audience: str) -> dict[str, str]:
        """For a request to the service with this URL; none without credentials. Raises Denied, Transient."""
        made = self._tokens.get(audience)
        if made is None or time.monotonic() >= made[0]:
            token = self._token(audience)
            made = (time.monotonic() + min(KEPT, _seconds_left(token) - LEFT), token)
            self._tokens[audience] = made
        return {HEADER: f"Bearer {made[1]}"} if made[1] else {}

    def _token(self, audience: str) -> str:
        from google.auth import compute_engine, impersonated_credentials
        from google.auth.credentials import AnonymousCredentials
        from google.oauth2 import service_account

        found: Any = self._clients.credentials
        if isinstance(found, AnonymousCredentials):
            return ""
        request = asking()
        with translated("get an identity token"):
            if isinstance(found, service_account.Credentials):
                made: Any = service_account.IDTokenCredentials(  # type: ignore[no-untyped-call]
                    found.signer, found.service_account_email, found._token_uri, audience
                )
            elif isinstance(found, compute_engine.Credentials):
                made = compute_engine.IDTokenCredentials(  # type: ignore[no-untyped-call]
                    request, audience, use_metadata_identity_endpoint=True
                )
            elif isinstance(found, impersonated_credentials.Credentials):
                made = impersonated_credentials.IDTokenCredentials(  # type: ignore[no-untyped-call]
                    found, audience, include_email=True
                )
            elif account := _account(found):
                return self._generated(account, audience)
            else:
                return self._of_a_person(found)
            made.refresh(request)
        return str(made.token)

    def _generated(self, account: str, audience: str) -> str:
        """For federated identities: IAM makes the token (permission iam.serviceAccounts.getOpenIdToken)."""
        path = f"/v1/projects/-/serviceAccounts/{account}:generateIdToken"
        answer = self._rest.post("get an identity token", HOST, path, {"audience": audience, "includeEmail": True})
        return str(answer.get("token", ""))

    def _of_a_person(self, found: Any) -> str:
        """What `gcloud auth application-default login` gives: it is for no audience, and Cloud Run takes it.

        It comes with an access token and is as old as that one, so it is renewed when it is about to end.
        """
        token = getattr(found, "id_token", None)
        if not token or _seconds_left(token) < LEFT:
            found.refresh(asking())
        if not getattr(found, "id_token", None):
            raise Denied(
                "get an identity token: these credentials cannot make one; "
                "impersonate a service account (impersonate = …), or use a service account's credentials"
            )
        return str(found.id_token)


def _account(found: Credentials | Any) -> str:
    """The e-mail of the account that these credentials stand for; empty when it is none."""
    account = getattr(found, "service_account_email", None)
    return account if isinstance(account, str) and "@" in account else ""


def _seconds_left(token: str) -> float:
    """Until the token ends, as it says itself; KEPT more than enough where it is no token that we can read."""
    from google.auth import exceptions, jwt

    try:
        ends = float(jwt.decode(token, verify=False)["exp"])  # type: ignore[no-untyped-call]
    except (exceptions.GoogleAuthError, ValueError, KeyError, TypeError):
        return KEPT + LEFT
    return ends - time.time()
