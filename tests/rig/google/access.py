"""Who asks, and what they may do: the rig's identity services and the permissions that a test took away.

A request with a token must have a good one (401 otherwise). One without is let in as nobody in particular, for clients
with `credentials = "none"`, unless its project needs tokens (hands.py): then it is 401, as in the real service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.hands import Hands
from tests.rig.google.unauthenticated import unauthenticated


class Knows(Protocol):
    """The part of the identity services that is asked here."""

    def principal(self, token: str) -> str | None: ...

    def verify_id_token(self, token: str, audience: str) -> str | None: ...

    def allowed(self, principal: str, permission: str, project: str) -> bool: ...


class Access:
    def __init__(self, hands: Hands, identity: Knows | None) -> None:
        self._hands, self._identity = hands, identity

    def principal(self, headers: Mapping[str, str]) -> str:
        """Who asks: an e-mail address, or "" for a request without a token. Header names are lower case."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if not kind:
            return ""
        known = self._identity.principal(token) if self._identity and kind.lower() == "bearer" else None
        if known is None:
            bearer = kind.lower() == "bearer"
            raise unauthenticated("ACCESS_TOKEN_EXPIRED" if bearer else "ACCESS_TOKEN_TYPE_UNSUPPORTED")
        return known

    def admit(self, principal: str, project: str, service: str, method: str = "") -> None:
        """UNAUTHENTICATED for nobody in particular where a project, by its id or its number, needs tokens."""
        if not principal and self._hands.needs_tokens(project):
            raise unauthenticated("CREDENTIALS_MISSING", service, method)

    def invoker(self, token: str, audience: str) -> str | None:
        return self._identity.verify_id_token(token, audience) if self._identity else None

    def may(self, principal: str, permission: str, project: str) -> bool:
        if self._hands.denied(project, permission):
            return False
        return self._identity is None or not principal or self._identity.allowed(principal, permission, project)

    def require(self, principal: str, permission: str, project: str, resource: str) -> None:
        """PERMISSION_DENIED in the words of cloud.google.com/iam/docs/permission-error-messages."""
        if self.may(principal, permission, project):
            return
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": resource_domain(permission),
            "metadata": {"permission": permission, "resource": resource},
        }
        words = f"Permission '{permission}' denied on resource '{resource}' (or resource may not exist)."
        if permission == "iam.serviceaccounts.actAs":
            words = f"Permission '{permission}' denied on service account {resource} (or it may not exist)."
        raise ApiError("PERMISSION_DENIED", words, [info])


def resource_domain(permission: str) -> str:
    """The API that a permission belongs to: run.services.get -> run.googleapis.com."""
    return f"{permission.partition('.')[0]}.googleapis.com"
