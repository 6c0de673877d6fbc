"""UNAUTHENTICATED, as every Google API says it.

Reasons and metadata after google/api/error_reason.proto (CREDENTIALS_MISSING, ACCESS_TOKEN_EXPIRED,
ACCESS_TOKEN_TYPE_UNSUPPORTED); the words of both messages, and a whole body without credentials, after public threads
(GoogleCloudPlatform/active-assist#18, google-github-actions/run-gemini-cli#123). Not verified against Cloud Run itself.
"""

from __future__ import annotations

from typing import Literal

from tests.rig.google.cloudrun.errors import ApiError

Reason = Literal["CREDENTIALS_MISSING", "ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_TYPE_UNSUPPORTED"]

_EXPECTED = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


def unauthenticated(reason: Reason, service: str = "", method: str = "") -> ApiError:
    """`service` is an API's host name, `method` its method's full name; what is not known is left out."""
    problem = "is missing required" if reason == "CREDENTIALS_MISSING" else "had invalid"
    noun = "credential" if reason == "CREDENTIALS_MISSING" else "credentials"
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {name: text for name, text in (("method", method), ("service", service)) if text},
    }
    return ApiError("UNAUTHENTICATED", f"Request {problem} authentication {noun}. {_EXPECTED}", [info])
