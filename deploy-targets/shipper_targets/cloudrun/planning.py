"""What a release would change, field by field against what serves. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from shipper.model import Change, Observation, Plan, Release
from shipper.targets import Invalid, change_of
from shipper_targets.cloudrun.defaults import taken_away
from shipper_targets.cloudrun.drift import own_settings
from shipper_targets.cloudrun.fields import Fields, fields_of_template, owned_differences, shown_in
from shipper_targets.cloudrun.limits import remarks_of
from shipper_targets.cloudrun.observing import Found
from shipper_targets.cloudrun.render import service_of
from shipper_targets.cloudrun.scaling import scale_line
from shipper_targets.cloudrun.settings import CloudRunSettings
from shipper_targets.cloudrun.written import UNTOLD, fields_of

if TYPE_CHECKING:
    from google.cloud import run_v2

IMAGE = "template.containers.0.image"
TO_BUILD = "to be built"


def plan_of(
    release: Release, observation: Observation, found: Found, own: CloudRunSettings, remarks: tuple[str, ...] = ()
) -> Plan:
    """Subjects are `revision`, `image`, paths such as `template.containers.0.env.MODE`, `scaling.min_instance_count`,
    `ingress`, and `traffic`: in this order, paths sorted, always the same for the same release and platform.
    """
    wanted = service_of(release, own, found.names.service_id)
    main = observation.main
    before = _fields_of(main.name, found) if main is not None else {}
    was = before.get(IMAGE, "")
    digest = main.image if main is not None else ""
    changes = [
        _image(was, release, same=bool(digest) and digest == release.main.config_digest),
        *_template(before, fields_of_template(wanted.template), foreign=main is not None and main.release is None),
        *_service(found.service, wanted),
    ]
    told = (scale_line(release.settings, release.started_in), *remarks_of(release.settings), *remarks)
    if main is None:
        first = [change_of("revision", "", wanted.template.revision), *changes]
        return Plan(summary="a first release", changes=tuple(first), remarks=told)
    if all(change.action == "keep" for change in changes):
        return Plan(summary="nothing to change, if the image is the same", changes=tuple(changes), remarks=told)
    new = wanted.template.revision
    shift = Change(action="shift", subject="traffic", before=main.name, after=new)
    return Plan(summary="a new revision", changes=(change_of("revision", "", new), *changes, shift), remarks=told)


def _image(was: str, release: Release, *, same: bool) -> Change:
    after = release.main.reference or TO_BUILD
    if same:
        return Change(action="keep", subject="image", before=was, after=after)
    return change_of("image", was, after)


def _template(before: Mapping[str, str], after: Mapping[str, str], *, foreign: bool) -> Iterator[Change]:
    """What only the server filled in is no difference to a revision that is not ours; what somebody set there, and the
    new template does not have, is.
    """
    old = {path: value for path, value in before.items() if path != IMAGE}
    new = {path: value for path, value in after.items() if path != IMAGE}
    if foreign:
        differing = {path: (was, will_be) for path, will_be, was in owned_differences(new, old)}
        differing |= {path: (shown_in(old, path), "") for path in taken_away(new, old)}
        yield from (change_of(path, *differing[path]) for path in sorted(differing))
        return
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path):
            yield change_of(path, shown_in(old, path), shown_in(new, path))


def _service(service: run_v2.Service | None, wanted: run_v2.Service) -> Iterator[Change]:
    after = fields_of(wanted, {}, "")
    if service is None:
        yield change_of("ingress", "", after.ingress)
        yield change_of("invoker_iam_disabled", "", str(after.public).lower())
        yield change_of("scaling.min_instance_count", "", str(after.least))
        return
    before = fields_of(service, {}, "")
    for subject, was, will_be in (
        ("ingress", before.ingress, after.ingress),
        ("invoker_iam_disabled", str(before.public).lower(), str(after.public).lower()),
        ("scaling.min_instance_count", str(before.least), str(after.least)),
    ):
        if was not in (will_be, UNTOLD):
            yield change_of(subject, was, will_be)


def _fields_of(name: str, found: Found) -> Fields:
    """What serves: as its record is rendered, else as the platform has it."""
    release = found.releases.get(name)
    own = own_settings(release)
    if release is not None and own is not None:
        try:
            return fields_of_template(service_of(release, own, found.names.service_id).template)
        except Invalid:
            pass  # a record that this version cannot render any more
    revision = next((one for one in found.revisions if one.name.endswith(f"/{name}")), None)
    return fields_of_template(as_template(revision)) if revision is not None else {}


def as_template(revision: run_v2.Revision) -> run_v2.RevisionTemplate:
    """The template that would make this revision: they have these fields in common."""
    from google.cloud import run_v2

    there, made = run_v2.Revision.pb(revision), run_v2.RevisionTemplate.pb(run_v2.RevisionTemplate())
    common = {*there.DESCRIPTOR.fields_by_name} & {*made.DESCRIPTOR.fields_by_name}
    for field, value in there.ListFields():
        if field.name not in common or field.name in ("labels", "annotations"):
            continue
        if field.is_repeated:
            getattr(made, field.name).extend(value)
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(value)
        else:
            setattr(made, field.name, value)
    template: run_v2.RevisionTemplate = run_v2.RevisionTemplate.wrap(made)
    return template
