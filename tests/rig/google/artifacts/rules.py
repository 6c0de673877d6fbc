"""What the control plane refuses to store.

Sources: the API's own descriptions (google.cloud.artifactregistry_v1.types.repository), repository names
https://cloud.google.com/artifact-registry/docs/repositories/create-repos#create, clean-up policies
https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy-overview ("up to 10", a condition and
most recent versions not in one policy: a oneof). Not verified: the words of each refusal.
"""

from __future__ import annotations

import re
from typing import Any

from google.cloud import artifactregistry_v1 as ar
from google.protobuf import json_format

from tests.rig.google.cloudrun.errors import ApiError, invalid

MAX_POLICIES = 10
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LEGACY = frozenset({"gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io"})


def parsed(body: dict[str, Any]) -> ar.Repository:
    """A repository as sent; an unknown field or value is refused as Google's JSON front does."""
    repository = ar.Repository()
    try:
        json_format.ParseDict(body, ar.Repository.pb(repository))
    except json_format.ParseError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
    return repository


def check_name(repository_id: str) -> None:
    if not _NAME.fullmatch(repository_id) and repository_id not in _LEGACY:
        raise invalid("repository_id", "must start with a letter and have only lower-case letters, digits and hyphens")


def check(repository: ar.Repository) -> None:
    """A repository that is to be stored. Raises ApiError."""
    if repository.format_ == ar.Repository.Format.FORMAT_UNSPECIFIED:
        raise invalid("repository.format", "must be specified")
    if len(repository.cleanup_policies) > MAX_POLICIES:
        raise invalid("repository.cleanup_policies", f"at most {MAX_POLICIES} policies are allowed")
    for key, policy in repository.cleanup_policies.items():
        _check_policy(key, policy)


def _check_policy(key: str, policy: ar.CleanupPolicy) -> None:
    path = f"repository.cleanup_policies[{key}]"
    if policy.id != key:
        raise invalid(path, "the id must be the key")
    if policy.action == ar.CleanupPolicy.Action.ACTION_UNSPECIFIED:
        raise invalid(path, "an action must be specified")
    recent = "most_recent_versions" in policy
    if not recent and "condition" not in policy:
        raise invalid(path, "a condition or most recent versions must be specified")
    if recent and policy.action != ar.CleanupPolicy.Action.KEEP:
        raise invalid(path, "most recent versions may only be specified with a Keep action")
    if recent and policy.most_recent_versions.keep_count < 1:
        raise invalid(path, "keep_count must be positive")
    tags, untagged = policy.condition.tag_prefixes, ar.CleanupPolicyCondition.TagState.UNTAGGED
    if tags and policy.condition.tag_state == untagged:
        raise invalid(path, "tag prefixes cannot be given for untagged versions")
