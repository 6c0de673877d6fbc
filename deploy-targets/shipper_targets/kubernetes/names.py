"""Names of the objects of a service: legal, readable, and the same for the same release. Pure.

A Service's name is a DNS label that starts with a letter, at most 63 characters (RFC 1035); so are all others here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from shipper.model import Release, Settings

Shape = Literal["rolling", "weighted"]
"""rolling: one Deployment `<base>` that is replaced. weighted: one Deployment for each release, beside each other."""

LONGEST_BASE = 40
"""Characters: with a number of seven digits and six of the id a revision's record has 62."""


def base_of(settings: Settings, name: str | None) -> str:
    """`<service>` in production, `<service>-<environment>` elsewhere, `name` when the target has one.

    What is too long ends in a hash of the whole.
    """
    if name is not None:
        return name
    service = settings.service
    whole = service.service if service.environment == "production" else f"{service.service}-{service.environment}"
    return fitting(whole, LONGEST_BASE)


def revision_name(base: str, release: Release) -> str:
    """`<base>-<number>-<last 6 of the release id>`: the same for the same release, and never another's."""
    return f"{base}-{release.number}-{release.id[-6:].lower()}"


def workload_name(base: str, release: Release, shape: Shape) -> str:
    """The name of the Deployment that runs this release."""
    return base if shape == "rolling" else revision_name(base, release)


def record_name(revision: str) -> str:
    """The Secret that holds the record of the release with this revision."""
    return f"shipper-{revision}"


def shape_of(strategy: str | None) -> Shape:
    """Which shape a strategy needs; rolling when none is asked for."""
    return "rolling" if strategy in (None, "rolling", "recreate") else "weighted"


def hashed_name(prefix: str, parts: Sequence[str]) -> str:
    """`<prefix>-<8 hex digits>` of the parts: content gives the name, so that another content is another object."""
    return f"{prefix}-{short_hash(parts)}"


def short_hash(parts: Sequence[str]) -> str:
    """8 hex digits over the parts, unambiguously separated."""
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()[:8]


def fitting(name: str, longest: int) -> str:
    """The name itself, or its beginning and a hash of the whole."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: longest - 7].rstrip('-')}-{digest}"
