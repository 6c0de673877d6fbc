"""How tokens are had: Google's OAuth token endpoint, the Security Token Service, and impersonation.

Sources: RFC 7523 as in https://developers.google.com/identity/protocols/oauth2/service-account (with its error table,
whose descriptions are used here), RFC 8693 as in
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token, and
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts.
Not verified against the real services: the descriptions of refused subject tokens.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tests.rig.google.http import HttpAnswer, HttpRequest, answer
from tests.rig.google.identity_state import IdentityState
from tests.rig.google.identity_tokens import Tokens

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
POOL = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/ci/providers/github"
GITHUB = "https://token.actions.githubusercontent.com"
_IMPERSONATE = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):(generateAccessToken|generateIdToken)")
_TOO_LONG = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


class Grants:
    """The three services; `answer` gives None for a path that is none of theirs."""

    def __init__(self, state: IdentityState, tokens: Tokens) -> None:
        self._state = state
        self._tokens = tokens

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        impersonated = _IMPERSONATE.fullmatch(request.path)
        if request.method == "GET" and request.path.endswith("/allowedLocations"):
            # google-auth asks this in the background (_regional_access_boundary_utils.py); 0x0 is everywhere.
            return answer({"locations": [], "encodedLocations": "0x0"})
        if request.method != "POST":
            return None
        if request.path == "/token":
            return self._oauth(request)
        if request.path == "/v1/token":
            return self._exchange(_form(request))
        if impersonated:
            return self._impersonate(request, impersonated[1], impersonated[2])
        return None

    def _oauth(self, request: HttpRequest) -> HttpAnswer:
        form = _form(request)
        if form.get("grant_type") == JWT_BEARER:
            return self._bearer(form.get("assertion", ""), _addresses(request))
        if form.get("grant_type") == "refresh_token":
            user = self._state.user_of(form.get("refresh_token", ""))
            if user is None:
                return _oauth_error("invalid_grant", "Token has been expired or revoked.")
            return self._granted(user)
        return _oauth_error("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")

    def _bearer(self, assertion: str, here: tuple[str, ...]) -> HttpAnswer:
        claims = self._tokens.assertion(assertion)
        if claims is None:
            return _oauth_error("invalid_grant", "Invalid JWT Signature.")
        if claims.get("aud") not in here or claims["iat"] > time.time() + 60:
            return _oauth_error("invalid_grant", _TOO_LONG if claims.get("aud") in here else "Invalid JWT: wrong aud.")
        account = str(claims["iss"])
        if audience := claims.get("target_audience"):
            return answer({"id_token": self._tokens.id_token(account, str(audience))})
        if not claims.get("scope"):
            return _oauth_error("invalid_scope", "Empty or missing scope not allowed.")
        return self._granted(account)

    def _granted(self, principal: str) -> HttpAnswer:
        token, seconds = self._tokens.access_token(principal)
        return answer({"access_token": token, "expires_in": int(seconds), "token_type": "Bearer"})

    def _exchange(self, form: Mapping[str, str]) -> HttpAnswer:
        if form.get("grant_type") != TOKEN_EXCHANGE or form.get("requested_token_type") != ACCESS_TOKEN:
            return _oauth_error("invalid_request", "Invalid grant or token type.")
        if form.get("audience") != POOL:
            return _oauth_error(
                "invalid_target", 'The target service indicated by the "audience" parameters is invalid.'
            )
        if not form.get("scope"):
            return _oauth_error("invalid_scope", "Scope(s) must be provided.")
        subject = self._tokens.verify_subject_token(form.get("subject_token", ""), f"https:{POOL}", GITHUB)
        if subject is None:
            return _oauth_error("invalid_grant", "The given credential is rejected by the attribute condition.")
        token, seconds = self._tokens.access_token(federated(subject))
        return answer(
            {
                "access_token": token,
                "issued_token_type": ACCESS_TOKEN,
                "token_type": "Bearer",
                "expires_in": int(seconds),
            }
        )

    def _impersonate(self, request: HttpRequest, account: str, method: str) -> HttpAnswer:
        caller = self._tokens.principal(request.headers.get("authorization", "").removeprefix("Bearer ").strip())
        if caller is None:
            return _refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        permission = f"iam.serviceAccounts.{'getAccessToken' if method == 'generateAccessToken' else 'getOpenIdToken'}"
        if not self._state.allowed(caller, permission, _project_of(account)):
            return _refused(
                403, "PERMISSION_DENIED", f"Permission '{permission}' denied on resource (or it may not exist)."
            )
        body = request.json()
        if method == "generateIdToken":
            return answer({"token": self._tokens.id_token(account, str(body.get("audience", "")))})
        if not body.get("scope"):
            return _refused(400, "INVALID_ARGUMENT", "Scope required.")
        token, seconds = self._tokens.access_token(account)
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        return answer({"accessToken": token, "expireTime": expires})


def federated(subject: str) -> str:
    """The principal of a job that came through the rig's workload identity pool."""
    return f"principal:{POOL.rpartition('/providers/')[0]}/subject/{subject}"


def _project_of(account: str) -> str:
    return account.partition("@")[2].partition(".")[0]


def _addresses(request: HttpRequest) -> tuple[str, ...]:
    """What this endpoint may be called in a JWT's `aud`: its public name, and the address that was asked."""
    host = request.headers.get("host", "")
    return ("https://oauth2.googleapis.com/token", f"http://{host}/token", f"https://{host}/token")


def _form(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(errors="replace")))


def _oauth_error(code: str, description: str) -> HttpAnswer:
    return answer({"error": code, "error_description": description}, 400)


def _refused(status: int, code: str, message: str) -> HttpAnswer:
    shown: dict[str, Any] = {"code": status, "message": message, "status": code}
    return answer({"error": shown}, status)
