"""The metadata server of a virtual machine or CI runner in Google Cloud.

Source: https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys and google-auth's own client
(google/auth/compute_engine/_metadata.py). Clients find it by GCE_METADATA_HOST. The header `Metadata-Flavor: Google`
is required and given back. What it gets wrong: one account ("default"), no instance attributes, no waiting for change;
and it makes a new token each time, where the real one hands out the same until about five minutes before its end.
"""

from __future__ import annotations

from tests.rig.google.http import HttpAnswer, HttpRequest, answer
from tests.rig.google.identity_tokens import Tokens

ACCOUNT = "123456789-compute@developer.gserviceaccount.com"
PROJECT = "rig-project"
_ROOT = "/computeMetadata/v1/"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_FLAVOR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}


class Metadata:
    """`answer` gives None for a path that is not the metadata server's."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        if request.method != "GET" or not (request.path == "/" or request.path.startswith("/computeMetadata")):
            return None
        if request.headers.get("metadata-flavor") != "Google" and request.path != "/":
            return _text("Missing Metadata-Flavor:Google header.", 403)
        if request.path == "/":
            return _text("computeMetadata/\n")
        return self._value(request, request.path.removeprefix(_ROOT)) or _text("Not Found", 404)

    def _value(self, request: HttpRequest, key: str) -> HttpAnswer | None:
        known = {
            "project/project-id": PROJECT,
            "project/numeric-project-id": "123456789",
            "universe/universe-domain": "googleapis.com",
            "instance/service-accounts/": f"{ACCOUNT}/\ndefault/\n",
        }
        if key in known:
            return _text(known[key])
        account, _, what = key.removeprefix("instance/service-accounts/").partition("/")
        if not key.startswith("instance/service-accounts/") or account not in ("default", ACCOUNT):
            return None
        return self._of_account(request, what)

    def _of_account(self, request: HttpRequest, what: str) -> HttpAnswer | None:
        if what == "" and request.flag("recursive"):
            return _json({"aliases": ["default"], "email": ACCOUNT, "scopes": _SCOPES})
        if what == "email":
            return _text(ACCOUNT)
        if what == "scopes":
            return _text("\n".join(_SCOPES))
        if what == "token":
            token, seconds = self._tokens.access_token(ACCOUNT)
            return _json({"access_token": token, "expires_in": int(seconds), "token_type": "Bearer"})
        if what == "identity":
            audience = request.query.get("audience", "")
            return (
                _text(self._tokens.id_token(ACCOUNT, audience))
                if audience
                else _text("non-empty audience parameter required", 400)
            )
        return None


def _text(text: str, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, text.encode(), {**_FLAVOR, "Content-Type": "application/text"})


def _json(value: object) -> HttpAnswer:
    made = answer(value)
    return HttpAnswer(made.status, made.body, {**made.headers, **_FLAVOR, "Content-Type": "application/json"})
