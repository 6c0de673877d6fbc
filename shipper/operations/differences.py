"""What comes back with a release of then: image, configuration and secret versions, compared leaf by leaf. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from shipper.config.printable import has_credentials, looks_secret, printable
from shipper.model import Change, Release, short
from shipper.model.quantities import show_size

HIDDEN = "(not shown)"


def differences(now: Release | None, then: Release, secret_versions: Mapping[str, str]) -> tuple[Change, ...]:
    """One line for everything that would be different; `secret_versions` are those that would be brought back."""
    if now is None:
        return (Change(action="create", subject="image", after=short(then.main.config_digest)),)
    image = (short(now.main.config_digest), short(then.main.config_digest))
    return (
        *([_change("image", *image)] if image[0] != image[1] else []),
        *_configuration(now.settings.runtime(), then.settings.runtime()),
        *_secrets(now.secret_versions, secret_versions),
    )


def _configuration(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[Change]:
    before, after = dict(_leaves(now)), dict(_leaves(then))
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            yield _change(".".join(path), _shown(path, before.get(path)), _shown(path, after.get(path)))


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, (*path, str(key)))
        elif item is not None:
            yield (*path, str(key)), item


def _shown(path: tuple[str, ...], value: Any) -> str:
    if value is None:
        return ""
    if "env" in path[:-1] and (looks_secret(path[-1]) or has_credentials(str(value))):
        return HIDDEN
    return show_size(value) if path[-1] == "memory" and isinstance(value, int) else printable(str(value))


def _change(subject: str, before: str, after: str) -> Change:
    action: Literal["create", "change", "remove"] = "change" if before and after else "create" if after else "remove"
    return Change(action=action, subject=subject, before=before, after=after)


def _secrets(now: Mapping[str, str], then: Mapping[str, str]) -> Iterator[Change]:
    """Versions say that a value is another one, and nothing about it."""
    for name in sorted({*now, *then}):
        if now.get(name) != then.get(name):
            before, after = (f"version {versions[name][:8]}" if name in versions else "" for versions in (now, then))
            yield _change(f"secret {name}", before, after)
