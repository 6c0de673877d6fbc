"""What comes back with a release of then: image, configuration and secret versions, compared leaf by leaf. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shipper.model import Change, Observation, Release, known_as
from shipper.targets import change_of, configuration_changes


def differences(now: Release | None, then: Release, secret_versions: Mapping[str, str]) -> tuple[Change, ...]:
    """One line for everything that would be different; `secret_versions` are those that would be brought back."""
    if now is None:
        return (Change(action="create", subject="image", after=_image(then)),)
    same = now.main.config_digest == then.main.config_digest
    return (
        *([] if same else [change_of("image", _image(now), _image(then))]),
        *configuration_changes(now.settings.runtime(), then.settings.runtime()),
        *_secrets(now.secret_versions, secret_versions),
    )


def as_counted(then: Release, now: Release | None, observation: Observation, *, warm: bool) -> Release:
    """With the `scale.min` of what serves where it would have as many instances as that has: a rollback's own record
    says how many there were at that time. `warm`: it runs, and keeps the number that it has.
    """
    there = observation.capacity
    if now is None or there is None or observation.capacity_owner != "shipper":
        return then
    own = then.settings.scale.min or 1
    if (own if warm else max(own, there)) != there:
        return then
    scale = then.settings.scale.model_copy(update={"min": now.settings.scale.min})
    return then.model_copy(update={"settings": then.settings.model_copy(update={"scale": scale})})


def _image(release: Release) -> str:
    return known_as(release.main.config_digest, release.main.reference)


def _secrets(now: Mapping[str, str], then: Mapping[str, str]) -> Iterator[Change]:
    """Versions say that a value is another one, and nothing about it."""
    for name in sorted({*now, *then}):
        if now.get(name) != then.get(name):
            before, after = (f"version {versions[name][:8]}" if name in versions else "" for versions in (now, then))
            yield change_of(f"secret {name}", before, after)
