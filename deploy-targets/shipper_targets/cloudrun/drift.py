"""Drift: fields of the service that are ours, and that somebody else has changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from shipper.model import Drift, Release
from shipper.targets import Invalid
from shipper_targets.cloudrun.fields import fields_of_template, owned_differences
from shipper_targets.cloudrun.marks import STAMP, read_record
from shipper_targets.cloudrun.names import revision_id, short_name
from shipper_targets.cloudrun.render import template_of
from shipper_targets.cloudrun.settings import CloudRunSettings
from shipper_targets.cloudrun.traffic import asked_for, show
from shipper_targets.cloudrun.written import UNTOLD, WRITTEN, Written, fields_of, read_written

if TYPE_CHECKING:
    from google.cloud import run_v2

NOTHING = "(nothing)"
UNNAMED = "(named by the platform)"


def drift_of(service: run_v2.Service, releases: Mapping[str, Release], service_id: str) -> tuple[Drift, ...]:
    """Traffic, template and what holds for the whole service; nothing where shipper has not written yet.

    A template cannot change without a new revision's name (the API refuses it), so a newest revision that is not ours
    is what tells; which fields it changed is found by rendering the record again. Tags of others are no drift.
    """
    return tuple(_drift(service, releases, service_id))


def _drift(service: run_v2.Service, releases: Mapping[str, Release], service_id: str) -> Iterator[Drift]:
    ours = read_written(service)
    if ours is None:
        # A stamp that is gone alone is no drift: the ledger knows what it said, and the next write mends it.
        if releases:
            lost = [WRITTEN] if STAMP in service.annotations else [STAMP, WRITTEN]
            yield Drift(field="annotations", ours=", ".join(lost), found="(gone, or not readable)")
        return
    newest = short_name(service.latest_created_revision)
    found = fields_of(service, asked_for(service), newest)
    yield from _service(ours, found)
    yield from _template(ours, newest, service, releases, service_id)


def _service(ours: Written, found: Written) -> Iterator[Drift]:
    if ours.traffic != found.traffic:
        yield Drift(field="traffic", ours=show(ours.traffic), found=show(found.traffic))
    if ours.ingress != found.ingress and UNTOLD not in (ours.ingress, found.ingress):
        yield Drift(field="ingress", ours=ours.ingress, found=found.ingress)
    if ours.public != found.public:
        yield Drift(field="invoker_iam_disabled", ours=str(ours.public).lower(), found=str(found.public).lower())
    if ours.least != found.least:
        yield Drift(field="scaling.min_instance_count", ours=str(ours.least), found=str(found.least))
    if found.manual and not ours.manual:
        yield Drift(field="scaling.scaling_mode", ours="automatic", found="manual")


def _template(
    ours: Written, newest: str, service: run_v2.Service, releases: Mapping[str, Release], service_id: str
) -> Iterator[Drift]:
    template = service.template
    if ours.newest in (newest, template.revision):  # the platform may need a moment to name the newest one
        return
    release = releases.get(ours.newest) or read_record(dict(template.annotations))
    for field, expected, found in _changed(template, release, service_id):
        yield Drift(field=field, ours=expected or NOTHING, found=found or NOTHING)
    yield Drift(field="template.revision", ours=ours.newest, found=template.revision or newest or UNNAMED)


def _changed(
    template: run_v2.RevisionTemplate, release: Release | None, service_id: str
) -> Iterator[tuple[str, str, str]]:
    """Field, our value, the value that is there; nothing when our record cannot be rendered any more."""
    own = own_settings(release)
    if release is None or own is None:
        return
    try:
        rendered = template_of(release, own, service_id)
    except Invalid:
        return
    assert rendered.revision == revision_id(service_id, release)
    yield from owned_differences(fields_of_template(rendered), fields_of_template(template))


def own_settings(release: Release | None) -> CloudRunSettings | None:
    """The target's settings at a release's time, from its record."""
    if release is None or release.place is None:
        return None
    try:
        return CloudRunSettings.model_validate(release.place.settings)
    except ValueError:
        return None
