"""Which clean-up policies leave every rollback target, and which could take one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.registries.artifact_messages import policy_of, wanted_repository
from shipper.registries.artifact_retention import Policy, endangers, policies, recent_needed

pytestmark = pytest.mark.unit

OLD = Policy("old", "DELETE", older_than=86400.0)


def test_what_we_make_endangers_nothing_even_when_it_is_enabled() -> None:
    assert endangers(policies(5), "iris", 5) is None


def test_what_we_make_is_in_dry_run_with_immutable_tags_and_reads_back_as_it_was() -> None:
    made = wanted_repository(5)

    assert made.cleanup_policy_dry_run
    assert made.docker_config.immutable_tags
    assert {policy_of(policy) for policy in made.cleanup_policies.values()} == set(policies(5))


def test_a_policy_for_all_old_versions_is_dangerous_alone() -> None:
    assert endangers([OLD], "iris", 5) == OLD


@pytest.mark.parametrize(
    "keep",
    [
        Policy("k", "KEEP", recent=recent_needed(5)),
        Policy("k", "KEEP", recent=100, image_prefixes=("ir",)),
        Policy("k", "KEEP"),
        Policy("k", "KEEP", tags="TAGGED"),
        Policy("k", "KEEP", tags="TAGGED", tag_prefixes=("v", "cfg-")),
        Policy("k", "KEEP", tags="ANY", tag_prefixes=("cf",)),
    ],
)
def test_one_that_keeps_ours_makes_it_harmless(keep: Policy) -> None:
    assert endangers([OLD, keep], "iris", 5) is None


@pytest.mark.parametrize(
    "keep",
    [
        Policy("k", "KEEP", recent=recent_needed(5) - 1),
        Policy("k", "KEEP", recent=100, image_prefixes=("rose",)),
        Policy("k", "KEEP", tags="UNTAGGED"),
        Policy("k", "KEEP", tag_prefixes=("v",)),
        Policy("k", "KEEP", tag_prefixes=("cfg-12",)),
        Policy("k", "KEEP", newer_than=86400.0),
        Policy("k", "KEEP", version_prefixes=("sha256:1",)),
    ],
)
def test_one_that_keeps_only_some_does_not(keep: Policy) -> None:
    assert endangers([OLD, keep], "iris", 5) == OLD


@pytest.mark.parametrize(
    "delete",
    [
        Policy("d", "DELETE", tags="UNTAGGED"),
        Policy("d", "DELETE", tag_prefixes=("pr-",)),
        Policy("d", "DELETE", image_prefixes=("rose",)),
    ],
)
def test_one_that_never_deletes_ours_is_harmless(delete: Policy) -> None:
    assert endangers([delete], "iris", 5) is None


@pytest.mark.parametrize("prefix", ["cfg-", "cfg-1", "c", ""])
def test_a_prefix_that_some_of_our_tags_have_is_dangerous(prefix: str) -> None:
    assert endangers([Policy("d", "DELETE", tag_prefixes=(prefix,))], "iris", 5) is not None


@given(releases=st.integers(min_value=1, max_value=1000), older=st.floats(min_value=1, max_value=1e8))
def test_what_we_make_protects_against_any_policy_that_is_added_by_hand(releases: int, older: float) -> None:
    added = Policy("by hand", "DELETE", older_than=older)

    assert endangers([*policies(releases), added], "iris", releases) is None
