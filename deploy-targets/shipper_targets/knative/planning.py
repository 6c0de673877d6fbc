"""What a release would change, field by field against what serves. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shipper.model import Change, Observation, Plan, Release
from shipper.targets import Invalid, change_of
from shipper_targets.knative.drift import own_settings
from shipper_targets.knative.fields import IMAGE, Fields, fields_of, shown_in
from shipper_targets.knative.kinds import NO_GC, SERVICE
from shipper_targets.knative.limits import remarks_of
from shipper_targets.knative.observing import Found
from shipper_targets.knative.render import content_of
from shipper_targets.knative.scaling import scale_line
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.taking_over import lost_first
from shipper_targets.knative.traffic import LATEST, about_to_serve, asked_for, follows_latest, show
from shipper_targets.knative.written import visibility_of
from shipper_targets.kubernetes.plan_parts import (
    SAME,
    TO_BUILD,
    configuration_alone,
    planned_name,
    secret_changes,
    serves_already,
)
from shipper_targets.kubernetes.values import mapping, name_of

_FILLED_IN = (
    "template.container.name", "template.container.resources", "template.container.readinessProbe",
    "template.container.terminationMessagePath", "template.container.terminationMessagePolicy",
    "template.container.imagePullPolicy", "template.timeoutSeconds", "template.containerConcurrency",
    "template.enableServiceLinks", "template.responseStartTimeoutSeconds",
    "template.annotations.serving.knative.dev/", "template.labels.serving.knative.dev/",
)  # fmt: skip
"""What Knative's webhook and reconcilers write into anybody's revision."""

_KEPT = f"template.annotations.{NO_GC}"
"""As records are: on all of ours, and no part of what is released."""


def plan_of(
    release: Release, observation: Observation, found: Found, own: KnativeSettings, remarks: tuple[str, ...] = ()
) -> Plan:
    """Subjects are `revision`, `image`, paths such as `template.env.MODE`, `visibility`, `latestRevision`, versions of
    `run.secrets` and `traffic`: in this order, paths sorted, always the same for the same release and platform. Over a
    revision that is not ours what it loses comes first. A first release is told as the Service as a whole.
    """
    main = observation.main
    then = found.releases.get(main.name) if main is not None else None
    before = _fields_of(main.name, found) if main is not None else {}
    same = main is not None and bool(main.image) and main.image == release.main.config_digest
    image, new = _image(before.get(IMAGE, ""), release, same=same), planned_name(found.name)
    told = (
        scale_line(release.settings, own, release.started_in),
        *remarks_of(release.settings, own),
        *_migration(found),
        *remarks,
    )
    if serves_already(release, observation):
        return Plan(summary=SAME, changes=(image,), remarks=told)
    if main is None:
        service = change_of(f"{SERVICE.kind}/{found.name}", "", "new") if found.service is None else None
        first = (change_of("revision", "", new), image, *([service] if service else []), *_whole(found, own))
        return Plan(summary="a first release", changes=first, remarks=told)
    after = fields_of(content_of(release, own, found.name))
    foreign = main.release is None
    template, whole = list(_template(before, after, foreign=foreign)), list(_whole(found, own))
    changes = list(lost_first(template, whole)) if foreign else [*template, *whole]
    changes += secret_changes(then, release)
    if not changes and same:
        changes = list(configuration_alone(then, release))
    shift = Change(action="shift", subject="traffic", before=main.name, after=new)
    every = (change_of("revision", "", new), image, *changes, shift)
    return Plan(summary="a new revision", changes=every, remarks=told)


def _migration(found: Found) -> Iterator[str]:
    """A Service whose traffic follows the newest revision would serve ours before anybody has looked at it."""
    service = found.service
    if service is None or not follows_latest(service):
        return
    yield (
        f"traffic follows the newest revision now (latestRevision: true); from now on it is by name: "
        f"{show(about_to_serve(service))}"
    )


def _whole(found: Found, own: KnativeSettings) -> Iterator[Change]:
    service = found.service
    was = visibility_of(service) if service is not None else ""
    if was != own.visibility:
        yield change_of("visibility", was, own.visibility)
    if service is not None and follows_latest(service):
        was = show({name.replace(LATEST, "latestRevision"): share for name, share in asked_for(service).items()})
        yield change_of("latestRevision", was, f"by name: {show(about_to_serve(service))}")


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
        old = {path: value for path, value in old.items() if path in new or not path.startswith(_FILLED_IN)}
    for path in sorted({*old, *new} - {_KEPT}):
        if old.get(path) != new.get(path):
            yield change_of(path, shown_in(old, path), shown_in(new, path))


def _fields_of(name: str, found: Found) -> Fields:
    """What serves: as its record is rendered, else as the platform has it."""
    release = found.releases.get(name)
    own = own_settings(release)
    if release is not None and own is not None:
        try:
            return fields_of(content_of(release, own, found.name))
        except Invalid:
            pass  # a record that this version cannot render any more
    revision = next((one for one in found.revisions if name_of(one) == name), None)
    if revision is None:
        return {}
    return fields_of({"metadata": mapping(revision, "metadata"), "spec": mapping(revision, "spec")})
