"""Repositories and clean-up policies as messages of the API (google.cloud.artifactregistry_v1), and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.registries.artifact_retention import Policy, policies

if TYPE_CHECKING:
    from google.cloud import artifactregistry_v1 as ar


def wanted_repository(releases: int) -> ar.Repository:
    """A repository as we make it."""
    from google.cloud import artifactregistry_v1 as ar

    return ar.Repository(
        format_=ar.Repository.Format.DOCKER,
        mode=ar.Repository.Mode.STANDARD_REPOSITORY,
        description="Images of services, made by shipper",
        docker_config=ar.Repository.DockerRepositoryConfig(immutable_tags=True),
        cleanup_policies={policy.id: _as_message(policy) for policy in policies(releases)},
        cleanup_policy_dry_run=True,
    )


def policy_of(message: ar.CleanupPolicy) -> Policy:
    """A policy of the API, as ours. An action or tag state that we do not know counts as the dangerous one."""
    condition = message.condition
    recent = message.most_recent_versions if "most_recent_versions" in message else None
    state = condition.tag_state.name if condition.tag_state.name in ("TAGGED", "UNTAGGED") else "ANY"
    return Policy(
        id=message.id,
        action="KEEP" if message.action.name == "KEEP" else "DELETE",
        tags=state,  # type: ignore[arg-type]
        tag_prefixes=tuple(condition.tag_prefixes),
        image_prefixes=tuple((recent or condition).package_name_prefixes),
        version_prefixes=tuple(condition.version_name_prefixes),
        older_than=condition.older_than.total_seconds() if "older_than" in condition else None,
        newer_than=condition.newer_than.total_seconds() if "newer_than" in condition else None,
        recent=recent.keep_count if recent is not None else None,
    )


def _as_message(policy: Policy) -> ar.CleanupPolicy:
    from google.cloud import artifactregistry_v1 as ar
    from google.protobuf import duration_pb2

    made = ar.CleanupPolicy(id=policy.id, action=getattr(ar.CleanupPolicy.Action, policy.action))
    if policy.recent is not None:
        made.most_recent_versions = ar.CleanupPolicyMostRecentVersions(keep_count=policy.recent)
        return made
    condition = ar.CleanupPolicyCondition(
        tag_state=getattr(ar.CleanupPolicyCondition.TagState, policy.tags), tag_prefixes=policy.tag_prefixes
    )
    if policy.older_than is not None:
        condition.older_than = duration_pb2.Duration(seconds=int(policy.older_than))
    made.condition = condition
    return made
