"""A target by its URL: the place, then `?name=value` for the kind's own settings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import BaseModel, ValidationError

from shipper.errors import UsageError


def settings_from_url(
    url: str,
    model: type[BaseModel],
    place: Callable[[SplitResult], dict[str, Any] | None],
    *,
    names: Sequence[str],
    usual: Sequence[str] = (),
    what: str,
    form: str,
) -> dict[str, Any]:
    """The settings that a URL gives, checked by the kind's `model` and as it has them.

    `place` makes settings of scheme, host and path, None when they are not this kind's; `names` may stand in the
    query, of which `usual` are named to who has made a mistake: all of them when empty.
    `what` ("a docker target") and `form` ("docker://, ssh://user@host") are for the message. Raises UsageError (2).
    """

    def refused(reason: str = "") -> UsageError:
        return UsageError(
            f'"{url}" is not an address of {what}' + (f": {reason}" if reason else ""),
            hint=f"use {form}, then ?name=value for {', '.join(usual or names)}",
        )

    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise refused(str(error)) from error
    there = place(parts) if not parts.fragment else None
    if there is None:
        raise refused()
    if unknown := [name for name in given if name not in names]:
        raise refused(f"it has no setting {unknown[0]}")
    try:
        checked = model.model_validate({**there, **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise refused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return {name: getattr(checked, name) for name in (*there, *given)}
