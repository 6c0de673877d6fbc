"""IAM policies of services: read-modify-write with an etag, and who may call a service by them."""

from __future__ import annotations

import hashlib

from google.iam.v1.policy_pb2 import Policy

from tests.rig.google.cloudrun.errors import ApiError

INVOKER = "roles/run.invoker"
_INVOKING = {INVOKER, "roles/run.servicesInvoker", "roles/run.admin", "roles/owner", "roles/editor"}


def with_etag(policy: Policy) -> Policy:
    """A copy whose etag tells its content."""
    copied = Policy()
    copied.CopyFrom(policy)
    copied.etag = b""
    copied.etag = hashlib.sha256(copied.SerializeToString(deterministic=True)).digest()[:8]
    return copied


def replaced(current: Policy, sent: Policy) -> Policy:
    """The policy after SetIamPolicy: a given etag must be current (google.iam.v1.Policy.etag)."""
    if sent.etag and sent.etag != current.etag:
        raise ApiError("ABORTED", "There were concurrent policy changes. Please retry the whole read-modify-write.")
    for binding in sent.bindings:
        if not binding.role.startswith(("roles/", "projects/", "organizations/")):
            raise ApiError("INVALID_ARGUMENT", f"The role '{binding.role}' is not supported for this resource.")
        for member in binding.members:
            if member not in ("allUsers", "allAuthenticatedUsers") and ":" not in member:
                raise ApiError("INVALID_ARGUMENT", f"The member '{member}' is of an unknown type.")
    return with_etag(sent)


def may_invoke(policy: Policy, principal: str | None) -> bool:
    """Whether a principal (an e-mail address; None: nobody) may call. `user:` and `serviceAccount:` are told apart."""
    allowed = {member for binding in policy.bindings if binding.role in _INVOKING for member in binding.members}
    if "allUsers" in allowed:
        return True
    if principal is None:
        return False
    kinds = ("serviceAccount" if principal.endswith(".gserviceaccount.com") else "user",)
    return "allAuthenticatedUsers" in allowed or any(f"{kind}:{principal}" in allowed for kind in kinds)
