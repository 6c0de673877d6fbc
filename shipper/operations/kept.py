"""Which releases clean-up must leave able to come back: a pure decision."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from shipper.model import Observation
from shipper.rollout.known import Known, KnownRelease


def kept(known: Known, observation: Observation, count: int) -> tuple[int, ...]:
    """The numbers of what serves, of what a rollback would go back to, and of the newest `count` verified contents.

    A content is kept under every number that it has: a rollback to #41 is #41's content. What is newer than what
    serves is kept as well: its run may be at work, or its outcome not yet known. Rising.
    """
    serving = {revision.fingerprint for revision in observation.serving}
    newest = max((revision.number or 0 for revision in observation.serving), default=0)
    contents = {*serving, *_ways_back(known, serving, count), *_verified(known, serving, count)}
    numbers = {release.number for release in known.releases if release.fingerprint in contents}
    numbers |= {revision.number for revision in observation.serving if revision.number is not None}
    return tuple(sorted(numbers | {release.number for release in known.releases if release.number > newest}))


def images_of(known: Known, numbers: Collection[int]) -> frozenset[str]:
    """Config digests of the images of these releases: what nobody may clear away, whoever lost their records."""
    return frozenset(release.image for release in known.releases if release.number in numbers)


def _verified(known: Known, serving: set[str | None], count: int) -> list[str]:
    """The newest verified contents besides what serves, quarantined ones too: `--to` brings them back.

    What only the platform knows of may have been verified: the ledger that could say so is lost.
    """
    fit = (found for found in reversed(known.releases) if found.verified or found.outcome is None)
    return _first(count, fit, serving)


def _ways_back(known: Known, serving: set[str | None], count: int) -> list[str]:
    """Those that a rollback goes to by itself."""
    fit = (found for found in reversed(known.releases) if found.verified and found.short not in known.quarantined)
    return _first(count, fit, serving)


def _first(count: int, releases: Iterator[KnownRelease], without: set[str | None]) -> list[str]:
    found: dict[str, None] = {}
    for release in releases:
        if release.fingerprint not in without and not release.gave_back and len(found) < count:
            found[release.fingerprint] = None
    return list(found)
