"""Which images a repository keeps: the policies of one that we make, and what is wrong with those of another. Pure.

Clean-up runs inside Artifact Registry, about once a day; a version that a KEEP policy matches stays, whatever a DELETE
policy says (https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy-overview). Our images carry the
tag `cfg-…` for ever where tags are immutable: a policy that deletes untagged versions only cannot hurt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

TAG_PREFIX = "cfg-"
"""Of the tags that the publish stage gives (`shipper.stages.publish.tag_of`)."""

MARGIN = 10
"""Kept beyond `[rollback] releases`: what serves, and pushes that were never verified, in a few environments."""

UNTAGGED_DAYS = 30
"""Age at which a version without a tag may go: manifests of pushes that were cut off."""


@dataclass(frozen=True)
class Policy:
    """A clean-up policy of a repository. Empty prefixes match everything; `recent` versions of each image are kept."""

    id: str
    action: Literal["DELETE", "KEEP"]
    tags: Literal["TAGGED", "UNTAGGED", "ANY"] = "ANY"
    tag_prefixes: tuple[str, ...] = ()
    image_prefixes: tuple[str, ...] = ()
    version_prefixes: tuple[str, ...] = ()
    older_than: float | None = None
    newer_than: float | None = None
    recent: int | None = None


def recent_needed(releases: int) -> int:
    """How many versions of an image must be kept for `[rollback] releases`."""
    return releases + MARGIN


def policies(releases: int) -> tuple[Policy, ...]:
    """Of a repository that we make (in dry run: whoever enables them has seen what they would delete)."""
    return (
        Policy("keep-recent", "KEEP", recent=recent_needed(releases)),
        Policy("keep-released", "KEEP", tags="TAGGED", tag_prefixes=(TAG_PREFIX,)),
        Policy("delete-untagged", "DELETE", tags="UNTAGGED", older_than=UNTAGGED_DAYS * 86400.0),
    )


def endangers(there: Iterable[Policy], image: str, releases: int) -> Policy | None:
    """The enabled policy that could delete a rollback target of this image; None when none can."""
    every = tuple(there)
    if any(policy.action == "KEEP" and _keeps_ours(policy, image, releases) for policy in every):
        return None
    return next((policy for policy in every if policy.action == "DELETE" and _may_take_ours(policy, image)), None)


def _keeps_ours(policy: Policy, image: str, releases: int) -> bool:
    if not _matches(policy.image_prefixes, image):
        return False
    if policy.recent is not None:
        return policy.recent >= recent_needed(releases)
    unlimited = policy.older_than is None and policy.newer_than is None and not policy.version_prefixes
    return unlimited and policy.tags != "UNTAGGED" and _matches(policy.tag_prefixes, TAG_PREFIX)


def _may_take_ours(policy: Policy, image: str) -> bool:
    if policy.tags == "UNTAGGED" or not _matches(policy.image_prefixes, image):
        return False
    # A prefix such as "cfg-12" takes some of ours, and so does "c".
    prefixes = policy.tag_prefixes
    return not prefixes or any(one.startswith(TAG_PREFIX) or TAG_PREFIX.startswith(one) for one in prefixes)


def _matches(prefixes: tuple[str, ...], name: str) -> bool:
    return not prefixes or any(name.startswith(prefix) for prefix in prefixes)
