"""Google's identity services, for tests: who a token speaks for, and every way that a client gets one.

    identity = Identity(folder)                       # every process with this folder agrees
    identity.answer(request)                          # HTTP; None for a path that is none of its services'
    identity.principal(token), identity.verify_id_token(token, audience)
    identity.allowed(principal, permission, project)
    identity.key_file(path), identity.federation_file(path), identity.user_file(path)
    identity.deny(principal, permission, project), identity.revoke(principal), identity.set_lifetime(principal, seconds)

Signatures, audiences and times are checked for real, with google-auth's own verifiers. What it gets wrong: there are no
projects, no roles and no scopes (everything is allowed that was not denied), one pool with one provider, and a service
account exists as soon as it has a key or somebody impersonates it.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal
from tests.rig.google.identity_grants import GITHUB, POOL, Grants
from tests.rig.google.identity_metadata import Metadata
from tests.rig.google.identity_state import IdentityState
from tests.rig.google.identity_tokens import Tokens

PUBLIC = "https://oauth2.googleapis.com"
ACCOUNT = "shipper@rig-project.iam.gserviceaccount.com"
USER = "ann@example.com"
SUBJECT = "repo:example/iris:ref:refs/heads/main"
_GCLOUD = "764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com"
"""gcloud's own client id, the same on every machine (google.auth._cloud_sdk.CLOUD_SDK_CLIENT_ID)."""
_CI_TOKEN = "a-job-of-this-ci"
"""What ACTIONS_ID_TOKEN_REQUEST_TOKEN holds in a job of the rig."""


class Identity:
    """All identity services on one folder."""

    def __init__(self, folder: Path) -> None:
        self.state = IdentityState(folder)
        self.tokens = Tokens(self.state)
        self._grants = Grants(self.state, self.tokens)
        self._metadata = Metadata(self.tokens)

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        """What the services say; None for a path that is none of theirs."""
        try:
            return self._grants.answer(request) or self._metadata.answer(request) or self._ci(request)
        except ApiError as error:
            return refusal(error)

    def principal(self, token: str) -> str | None:
        """Who an access token or self-signed JWT speaks for; None when it is not good (any more)."""
        return self.tokens.principal(token)

    def verify_id_token(self, token: str, audience: str) -> str | None:
        """The e-mail in an identity token for this audience; None when it is not good."""
        return self.tokens.verify_id_token(token, audience)

    def access_token(self, principal: str = ACCOUNT) -> str:
        """A token without asking over HTTP, such as for a platform's own agent that pulls images."""
        return self.tokens.access_token(principal)[0]

    def allowed(self, principal: str, permission: str, project: str) -> bool:
        return self.state.allowed(principal, permission, project)

    def deny(self, principal: str, permission: str, project: str) -> None:
        self.state.deny(principal, permission, project)

    def allow(self, principal: str, permission: str, project: str) -> None:
        self.state.allow(principal, permission, project)

    def revoke(self, principal: str) -> None:
        """All access tokens of this principal that were issued until now."""
        self.state.revoke(principal)

    def set_lifetime(self, principal: str, seconds: float) -> None:
        """Of this principal's access tokens from now on."""
        self.state.set_lifetime(principal, seconds)

    def key_file(self, path: Path, account: str = ACCOUNT, base_url: str = PUBLIC) -> Path:
        """A service account key. `base_url`: where these services answer, when it is not under their public names."""
        key = self.state.new_account_key(account)
        content = {
            "type": "service_account",
            "project_id": account.partition("@")[2].partition(".")[0],
            "private_key_id": key.kid,
            "private_key": key.private,
            "client_email": account,
            "client_id": "1",
            "token_uri": f"{base_url}/token",
        }
        path.write_text(json.dumps(content))
        return path

    def federation_file(self, path: Path, base_url: str, account: str = ACCOUNT, *, public: bool = False) -> Path:
        """Workload identity federation, as google-github-actions/auth writes it. The CI's provider is at `base_url`,
        and the other services too unless they answer under their `public` names."""
        sts, iam = (
            ("https://sts.googleapis.com", "https://iamcredentials.googleapis.com") if public else 2 * (base_url,)
        )
        impersonation = f"{iam}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        content = {
            "type": "external_account",
            "audience": POOL,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{sts}/v1/token",
            "service_account_impersonation_url": impersonation,
            "credential_source": {
                "url": f"{base_url}/ci/oidc?audience=https:{POOL}",
                "headers": {"Authorization": f"Bearer {_CI_TOKEN}"},
                "format": {"type": "json", "subject_token_field_name": "value"},
            },
        }
        path.write_text(json.dumps(content))
        return path

    def user_file(self, path: Path, user: str = USER) -> Path:
        """As `gcloud auth application-default login` leaves it. google-auth asks oauth2.googleapis.com, whatever it
        says: the rig has to answer under that name."""
        token = self.state.new_refresh_token(user)
        content = {"type": "authorized_user", "client_id": _GCLOUD, "client_secret": "rig", "refresh_token": token}
        path.write_text(json.dumps(content))
        return path

    def log_out(self, user_file: Path) -> None:
        """What is in a user's file is worth nothing any more."""
        self.state.forget_refresh_token(json.loads(user_file.read_text())["refresh_token"])

    def _ci(self, request: HttpRequest) -> HttpAnswer | None:
        """GitHub's OIDC provider, as a job asks it (ACTIONS_ID_TOKEN_REQUEST_URL)."""
        if request.method != "GET" or request.path != "/ci/oidc":
            return None
        if request.headers.get("authorization") != f"Bearer {_CI_TOKEN}":
            return answer({"message": "Unauthorized"}, 401)
        return answer({"value": self.tokens.subject_token(SUBJECT, request.query.get("audience", ""), GITHUB)})
