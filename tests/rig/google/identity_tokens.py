"""Tokens: opaque access tokens, RS256 identity tokens, and the JWTs that clients sign themselves.

Access tokens are opaque to clients, as the real ones; inside they are authenticated statements, so that any process
with the state's folder can check them. Identity tokens have the claims of Google's (iss, aud, azp, sub, email).
A self-signed JWT is accepted as Google's APIs do (AIP-4111): signed with a registered key of the account, iss = sub =
the account, at most an hour long, and either `aud` is an API's address or `scope` is given.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlsplit

from google.auth import crypt, exceptions, jwt

from tests.rig.google.identity_state import IdentityState, SigningKey

ISSUER = "https://accounts.google.com"
_PREFIX = "ya29.c."
_HOUR = 3600


class Tokens:
    """Issues and checks."""

    def __init__(self, state: IdentityState) -> None:
        self._state = state

    def access_token(self, principal: str, lifetime: float | None = None) -> tuple[str, float]:
        """An access token and the seconds that it lives."""
        seconds = self._state.lifetime(principal) if lifetime is None else lifetime
        now = time.time_ns()
        claims = {"sub": principal, "iat": now, "exp": now + int(seconds * 1e9)}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"{_PREFIX}{body}.{self._mac(body)}", seconds

    def principal(self, token: str) -> str | None:
        """Who an access token (or a self-signed JWT) speaks for; None when it is forged, expired or revoked."""
        if not token.startswith(_PREFIX):
            return self._self_signed(token)
        body, _, mac = token.removeprefix(_PREFIX).partition(".")
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        good = time.time_ns() < claims["exp"] and claims["iat"] > self._state.revoked_until(claims["sub"])
        return str(claims["sub"]) if good else None

    def remaining(self, token: str) -> float:
        """Seconds that an access token of ours still lives."""
        body = token.removeprefix(_PREFIX).partition(".")[0]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float((claims["exp"] - time.time_ns()) / 1e9)

    def id_token(self, principal: str, audience: str) -> str:
        """An identity token for an audience (the URL of a service), an hour long."""
        now = int(time.time())
        subject = str(int(hashlib.sha256(principal.encode()).hexdigest()[:16], 16))
        claims: dict[str, Any] = {"iss": ISSUER, "aud": audience, "azp": subject, "sub": subject}
        claims |= {"email": principal, "email_verified": True, "iat": now, "exp": now + _HOUR}
        return _signed(self._state.service_key("google"), claims)

    def verify_id_token(self, token: str, audience: str) -> str | None:
        """The e-mail in an identity token of ours for this very audience; None when it is not good."""
        key = self._state.service_key("google")
        claims = _verified(token, {key.kid: key.public}, audience)
        return str(claims["email"]) if claims and claims.get("iss") == ISSUER else None

    def subject_token(self, subject: str, audience: str, issuer: str, lifetime: int = 300) -> str:
        """What a CI's OIDC provider says about a job (GitHub: five minutes)."""
        now = int(time.time())
        claims = {"iss": issuer, "aud": audience, "sub": subject, "iat": now, "exp": now + lifetime}
        return _signed(self._state.service_key("github"), claims)

    def verify_subject_token(self, token: str, audience: str, issuer: str) -> str | None:
        """Its subject; None when the provider did not sign it, or for somebody else, or too long ago."""
        key = self._state.service_key("github")
        claims = _verified(token, {key.kid: key.public}, audience)
        return str(claims["sub"]) if claims and claims.get("iss") == issuer else None

    def assertion(self, token: str) -> dict[str, Any] | None:
        """The claims of a JWT that a service account signed with a key of its own; None when it did not."""
        issuer = str(_unverified(token).get("iss", ""))
        claims = _verified(token, self._state.public_keys(issuer), None)
        short = claims is not None and claims["exp"] - claims["iat"] <= _HOUR
        return claims if short else None

    def _self_signed(self, token: str) -> str | None:
        claims = self.assertion(token) if token.count(".") == 2 else None
        if claims is None or claims.get("sub") != claims["iss"]:
            return None
        parts = urlsplit(str(claims.get("aud", "")))
        to_an_api = parts.scheme == "https" and (parts.hostname or "").endswith(".googleapis.com")
        return str(claims["iss"]) if to_an_api or claims.get("scope") else None

    def _mac(self, body: str) -> str:
        return hmac.new(self._state.secret, body.encode(), hashlib.sha256).hexdigest()


def _signed(key: SigningKey, claims: dict[str, Any]) -> str:
    signer = crypt.RSASigner.from_string(key.private, key.kid)  # type: ignore[no-untyped-call]
    encoded: bytes = jwt.encode(signer, claims)  # type: ignore[no-untyped-call]
    return encoded.decode()


def _verified(token: str, keys: dict[str, str], audience: str | None) -> dict[str, Any] | None:
    if not keys:
        return None
    try:
        decoded = jwt.decode(token, certs=keys, audience=audience)  # type: ignore[no-untyped-call]
    except (exceptions.GoogleAuthError, ValueError):
        return None
    return dict(decoded)


def _unverified(token: str) -> dict[str, Any]:
    try:
        return dict(jwt.decode(token, verify=False))  # type: ignore[no-untyped-call]
    except (exceptions.GoogleAuthError, ValueError):
        return {}
