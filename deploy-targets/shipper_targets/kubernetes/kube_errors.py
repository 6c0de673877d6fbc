"""The API server's answers as our errors: by status, reason and causes, never by a client's exception class. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shipper.model.json_text import parse_json
from shipper.targets import Conflict, Denied, Invalid, NotFound, PlatformError, Transient

_LONGEST = 700
_UNKNOWN_FIELD = ("field not declared in schema", "failed to create typed patch object", "strict decoding error")
"""Server-side apply answers an unknown field with status 500 and no reason (1.20 to 1.34, measured)."""

_TRANSIENT_REASONS = {"Timeout", "ServerTimeout", "TooManyRequests", "InternalError", "ServiceUnavailable"}
_CONFLICT_MANAGER = "conflict with "


_NOT_PERMITTED = re.compile(r'\buser "[^"]*" (?:cannot |\(groups=.*?\) is attempting to grant )', re.IGNORECASE)
"""What every authorizer's refusal begins with, and RBAC's for who would give more than he has (1.34). Everything else
that has status 403 is admission: quota, Pod Security, a plug-in that looks something up, a webhook's own words."""

_FIXED = ("field is immutable", "may not be changed", "for fields other than")
"""Of a field that stays as it is; the last one of a StatefulSet's whole spec (1.34)."""

_WEBHOOK = "admission webhook "

_STARTING = ("not yet been synced", "caches not synchronized", "not yet ready to handle request")
"""The API server's words just after its start."""


_SECRET_VALUE = re.compile(r"(Kind=Secret\b.*?\bgot ).*", re.DOTALL)
"""Server-side apply's words of a Secret's member that is not text, which end with that member's value."""

_WHOLE_OBJECT = re.compile(r'Invalid value: "\{\\?"apiVersion.*\}\\?n?": ', re.DOTALL)


class Gone(Transient):
    """A watch or a page began at a resourceVersion that the API server no longer has (410): list again."""


class Owned(Conflict):
    """Server-side apply would take fields that others own. `owners`: field -> all who do, such as `"hpa-like"`."""

    def __init__(self, message: str, owners: Mapping[str, Sequence[str]]) -> None:
        super().__init__(message)
        self.owners = dict(owners)


class Immutable(Invalid):
    """A field that cannot be changed would be. `fields` are their paths."""

    hint = "while it is there it cannot become this: `kubectl delete` it, then run the same again, which makes it anew"

    def __init__(self, message: str, fields: Sequence[str]) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class Refused(Invalid):
    """The object as it is was refused (422, 400). `causes` are (field, message) pairs."""

    def __init__(self, message: str, causes: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


def error_of(doing: str, status: int, body: bytes) -> PlatformError:
    """What an answer with this HTTP status means; `doing` begins the message ("apply Deployment shop")."""
    told = _status(body)
    message = str(told.get("message") or "") or body.decode(errors="replace") or f"HTTP status {status}"
    message = _short(_SECRET_VALUE.sub(r"\1(not shown)", message))
    words = f"{doing}: {message}"
    reason = str(told.get("reason") or "")
    causes = _causes(told)
    if any(text in message for text in _UNKNOWN_FIELD):
        return Refused(words, causes)
    if status == 409:
        return _conflict(words, reason, causes)
    if status == 422:
        return _unprocessable(words, causes)
    return _by_status(status, reason, words, causes, is_servers=told.get("kind") == "Status")


def _by_status(
    status: int, reason: str, words: str, causes: Sequence[tuple[str, str]], *, is_servers: bool
) -> PlatformError:
    if status == 401:
        return Denied(f"{words} (the credentials were not accepted)")
    if status == 403:
        return _forbidden(words, causes, is_servers)
    if status == 404:
        return NotFound(words)
    if status == 410:
        return Gone(words)
    if status in (408, 429) or status >= 500 or reason in _TRANSIENT_REASONS:
        return Transient(words)
    if status in (400, 405, 406, 413, 415):
        return Refused(words, causes)
    return Invalid(words)


def _forbidden(words: str, causes: Sequence[tuple[str, str]], is_servers: bool) -> PlatformError:
    """403 is missing permission, or admission's refusal of the object. A proxy's own 403 says nothing of objects."""
    if any(text in words for text in _STARTING):
        return Transient(words)
    if is_servers and (_WEBHOOK in words or not _NOT_PERMITTED.search(words)):
        return Refused(words, causes)
    return Denied(words)


def _conflict(words: str, reason: str, causes: Sequence[tuple[str, str]]) -> PlatformError:
    owners: dict[str, list[str]] = {}
    for field, text in causes:
        if _CONFLICT_MANAGER in text:
            owners.setdefault(field, []).append(text.partition(_CONFLICT_MANAGER)[2])
    if owners:
        shown = "; ".join(
            f"{field.removeprefix('.')} is owned by {', '.join(who)}" for field, who in sorted(owners.items())
        )
        return Owned(f"{words.partition(':')[0]}: {shown}", owners)
    return Conflict(words)


def _unprocessable(words: str, causes: Sequence[tuple[str, str]]) -> PlatformError:
    fixed = [field for field, text in causes if any(one in text for one in _FIXED)]
    return Immutable(words, fixed) if fixed else Refused(words, causes)


def _short(message: str) -> str:
    """Without the whole object that a refused patch would have made: the API server prints it before the reason."""
    return one_line(_WHOLE_OBJECT.sub("Invalid value: (the object): ", message))


def manager_of(owner: str) -> str:
    """The manager's name in a conflict's words: `"hpa-like" using apps/v1 at …` -> hpa-like."""
    return owner.partition('"')[2].partition('"')[0] or owner


def one_line(text: object) -> str:
    """Everything in one line, at most 700 characters: what is too long has the reason at its beginning or its end."""
    line = " ".join(str(text).split())
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} … {line[3 - half :]}"


def is_status(body: bytes) -> bool:
    """Whether this is the API server's own answer (kind Status), not that of what it passes on to."""
    return _status(body).get("kind") == "Status"


def _status(body: bytes) -> dict[str, Any]:
    try:
        told = parse_json(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _causes(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    details = told.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    found = [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    return [(str(cause.get("field") or ""), str(cause.get("message") or "")) for cause in found]
