"""Drift: fields of the Service that are ours, and that somebody else has changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shipper.model import Drift, Release
from shipper.targets import Invalid
from shipper_targets.knative.fields import fields_of, owned_differences
from shipper_targets.knative.marks import WRITTEN, is_stamped, read_record
from shipper_targets.knative.render import template_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.traffic import asked_for, show
from shipper_targets.knative.written import newest_of, read_written, visibility_of
from shipper_targets.kubernetes.labels import STAMP
from shipper_targets.kubernetes.values import Object, mapping

NOTHING = "(nothing)"
UNNAMED = "(named by the platform)"


def drift_of(service: Object, releases: Mapping[str, Release], name: str) -> tuple[Drift, ...]:
    """Traffic, template and visibility; nothing where shipper has not written yet.

    A template cannot change without a new revision's name (the webhook refuses it), so a newest revision that is not
    ours is what tells; which fields it changed is found by rendering the record again. Tags of others are no drift.
    """
    return tuple(_drift(service, releases, name))


def own_settings(release: Release | None) -> KnativeSettings | None:
    """The target's settings at a release's time, from its record."""
    if release is None or release.place is None:
        return None
    try:
        return KnativeSettings.model_validate(release.place.settings)
    except ValueError:
        return None


def _drift(service: Object, releases: Mapping[str, Release], name: str) -> Iterator[Drift]:
    ours = read_written(service)
    if ours is None:
        # A stamp that is gone alone is no drift: the ledger knows what it said, and the next write mends it.
        if releases:
            lost = [WRITTEN] if is_stamped(service) else [STAMP, WRITTEN]
            yield Drift(field="annotations", ours=", ".join(lost), found="(gone, or not readable)")
        return
    found = asked_for(service)
    if ours.traffic != found:
        yield Drift(field="traffic", ours=show(ours.traffic), found=show(found))
    if ours.visibility != visibility_of(service):
        yield Drift(field="visibility", ours=ours.visibility, found=visibility_of(service))
    newest = newest_of(service)
    if ours.newest in ("", newest):
        return
    template = mapping(service, "spec", "template")
    release = releases.get(ours.newest) or read_record(mapping(template, "metadata", "annotations"))
    for field, expected, there in _changed(template, release, name):
        yield Drift(field=field, ours=expected or NOTHING, found=there or NOTHING)
    yield Drift(field="template.name", ours=ours.newest, found=newest or UNNAMED)


def _changed(template: Object, release: Release | None, name: str) -> Iterator[tuple[str, str, str]]:
    """Field, our value, the value that is there; nothing when our record cannot be rendered any more."""
    own = own_settings(release)
    if release is None or own is None:
        return
    try:
        rendered = template_of(release, own, name)
    except Invalid:
        return
    yield from owned_differences(fields_of(rendered), fields_of(template))
