"""A release that comes back: the target's settings it had, where this machine's are those of now. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from shipper.model import Release
from shipper.targets import Invalid
from shipper_targets.knative.content import NOT_CONTENT, content_of
from shipper_targets.knative.drift import own_settings
from shipper_targets.knative.settings import KnativeSettings


def own_of(release: Release, own: KnativeSettings, records: Iterable[Release]) -> KnativeSettings:
    """The settings of the kind that the release is made with: its content is those of the release that comes back,
    reached as this machine reaches the place now.

    `records`: what the platform has. Raises Invalid where the settings of then are in none of them and were others.
    """
    if release.rollback_to is None or release.content == content_of(own):
        return own
    then = _then(release, records)
    if then is None:
        raise Invalid(
            f"the settings of the target that #{release.rollback_to} had are not here any more, and were others: "
            "put them back in [targets], then roll back again"
        )
    return own.model_copy(
        update={name: getattr(then, name) for name in type(own).model_fields if name not in NOT_CONTENT}
    )


def with_place_of(release: Release, own: KnativeSettings) -> Release:
    """The release with these settings in its record: it is rendered from that when it is looked for changes."""
    place = release.place
    if release.rollback_to is None or place is None or own_settings(release) == own:
        return release
    there = {name: value for name, value in place.settings.items() if name in NOT_CONTENT}
    settings = {**own.model_dump(mode="json", exclude=set(NOT_CONTENT), exclude_defaults=True), **there}
    return release.model_copy(update={"place": place.model_copy(update={"settings": settings})})


def _then(release: Release, records: Iterable[Release]) -> KnativeSettings | None:
    """By its number, else any with the same content."""
    found = sorted(records, key=lambda record: record.number != release.rollback_to)
    for record in found:
        then = own_settings(record)
        if then is not None and release.content in (record.content, content_of(then)):
            return then
    return None
