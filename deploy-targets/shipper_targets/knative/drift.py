"""Drift: fields of the Service that are ours, and that somebody else has changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shipper.model import Drift, Release
from shipper.targets import Invalid
from shipper_targets.knative.admitted import admitted, scaling_in
from shipper_targets.knative.fields import fields_of, owned_differences, shown_in
from shipper_targets.knative.marks import WRITTEN, is_stamped, read_record
from shipper_targets.knative.render import template_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.traffic import about_to_serve, asked_for, show
from shipper_targets.knative.written import newest_of, read_written, visibility_of
from shipper_targets.kubernetes.labels import STAMP
from shipper_targets.kubernetes.values import Object, mapping, name_of

NOTHING = "(nothing)"
UNNAMED = "(named by the platform)"


def drift_of(
    service: Object, revisions: Iterable[Object], releases: Mapping[str, Release], name: str
) -> tuple[Drift, ...]:
    """Traffic, template, visibility, and scaling of what serves; nothing where shipper has not written yet.

    A template cannot change without a new revision's name (the webhook refuses it), so a newest revision that is not
    ours is what tells; which fields it changed is found by rendering the record again. Tags of others are no drift.
    """
    return (*_drift(service, releases, name), *_scaling(service, revisions, releases))


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


def _scaling(service: Object, revisions: Iterable[Object], releases: Mapping[str, Release]) -> Iterator[Drift]:
    """A revision's spec cannot be changed, its annotations can, and the autoscaler follows them."""
    known, serving = admitted(service), about_to_serve(service)
    for one in revisions:
        name = name_of(one)
        if name not in releases or name not in serving or name not in known:
            continue
        ours, found = known[name], scaling_in(one)
        for key in sorted({*ours, *found}):
            if ours.get(key) != found.get(key):
                expected, there = shown_in(ours, key), shown_in(found, key)
                yield Drift(field=f"{name}.{key}", ours=expected or NOTHING, found=there or NOTHING)


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
