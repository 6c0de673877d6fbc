"""The methods of api.py over REST: the paths of google.cloud.run_v2's REST transport, JSON as protobuf defines it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from tests.rig.google.cloudrun.api import OPERATIONS, REVISIONS, SERVICES, Api
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.grpc_front import raw
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal

_PLACE = r"projects/[^/]+/locations/[^/]+"
# verb, path after /v2/, method, the request's field that the path fills, the request's field that the body is.
_ROUTES = (
    ("POST", rf"({_PLACE})/services", f"{SERVICES}/CreateService", "parent", "service"),
    ("GET", rf"({_PLACE})/services", f"{SERVICES}/ListServices", "parent", ""),
    ("GET", rf"({_PLACE}/services/[^/:]+)", f"{SERVICES}/GetService", "name", ""),
    ("PATCH", rf"({_PLACE}/services/[^/:]+)", f"{SERVICES}/UpdateService", "service.name", "service"),
    ("DELETE", rf"({_PLACE}/services/[^/:]+)", f"{SERVICES}/DeleteService", "name", ""),
    ("GET", rf"({_PLACE}/services/[^/:]+):getIamPolicy", f"{SERVICES}/GetIamPolicy", "resource", ""),
    ("POST", rf"({_PLACE}/services/[^/:]+):setIamPolicy", f"{SERVICES}/SetIamPolicy", "resource", "*"),
    ("POST", rf"({_PLACE}/services/[^/:]+):testIamPermissions", f"{SERVICES}/TestIamPermissions", "resource", "*"),
    ("GET", rf"({_PLACE}/services/[^/:]+)/revisions", f"{REVISIONS}/ListRevisions", "parent", ""),
    ("GET", rf"({_PLACE}/services/[^/:]+/revisions/[^/:]+)", f"{REVISIONS}/GetRevision", "name", ""),
    ("DELETE", rf"({_PLACE}/services/[^/:]+/revisions/[^/:]+)", f"{REVISIONS}/DeleteRevision", "name", ""),
    ("GET", rf"({_PLACE})/operations", f"{OPERATIONS}/ListOperations", "name", ""),
    ("GET", rf"({_PLACE}/operations/[^/:]+)", f"{OPERATIONS}/GetOperation", "name", ""),
    ("DELETE", rf"({_PLACE}/operations/[^/:]+)", f"{OPERATIONS}/DeleteOperation", "name", ""),
    ("POST", rf"({_PLACE}/operations/[^/:]+):wait", f"{OPERATIONS}/WaitOperation", "name", "*"),
)
_SYSTEM = {"alt", "$alt", "prettyPrint", "key", "fields", "access_token", "quotaUser", "callback", "upload_protocol"}


def answer_v2(api: Api, request: HttpRequest) -> HttpAnswer | None:
    """None for a path that is not of v2."""
    if not request.path.startswith("/v2/projects/"):
        return None
    for verb, pattern, name, field, body in _ROUTES:
        found = re.fullmatch(pattern, request.path.removeprefix("/v2/"))
        if found and verb == request.method:
            method = api.methods[name]
            try:
                message = _message(method.request, request, field, found.group(1), body)
                reply = api.call(method, message, request.principal)
            except ApiError as error:
                return refusal(error)
            integers = "enum-encoding=int" in request.query.get("$alt", "")
            return answer(json_format.MessageToDict(raw(reply), use_integers_for_enums=integers))
    return None


def _message(kind: Any, request: HttpRequest, field: str, resource: str, body: str) -> Any:
    """The request message: the body, then the query, then the path, which wins."""
    shown = dict[str, Any]()
    if body == "*":
        shown.update(request.json())
    elif body:
        shown[body] = request.json()
    for name, values in request.queries.items():
        if name not in _SYSTEM:
            _put(shown, name, values[-1])
    _put(shown, field, resource)
    message = kind()
    try:
        json_format.ParseDict(shown, raw(message))
    except json_format.ParseError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
    return message


def _put(shown: dict[str, Any], path: str, value: str) -> None:
    *way, last = path.split(".")
    for part in way:
        shown = shown.setdefault(part, {})
    converted: Callable[[str], Any] = _LIKE.get(last, str)
    shown[last] = converted(value)


def _mask(text: str) -> str:
    """A mask as sent: paths in lowerCamelCase, or in snake_case as some clients write them.

    The JSON form of a mask has no way to write a name with an underscore, and json_format refuses one; the real service
    takes both.
    """
    return ",".join(re.sub(r"_([a-z0-9])", lambda found: found.group(1).upper(), path) for path in text.split(","))


def _true(text: str) -> bool:
    return text.lower() in ("true", "1")


_LIKE: dict[str, Callable[[str], Any]] = {
    "validateOnly": _true,
    "validate_only": _true,
    "allowMissing": _true,
    "allow_missing": _true,
    "showDeleted": _true,
    "show_deleted": _true,
    "pageSize": int,
    "page_size": int,
    "updateMask": _mask,
    "update_mask": _mask,
}
