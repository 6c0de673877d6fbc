"""Reading what the API server sends: members that may be missing, or not what the schema says. Pure, never raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]
"""An object of the API as JSON values."""


def at(value: Any, *path: str) -> Any:
    """The member at the end of `path`; None where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def text(value: Any, *path: str) -> str:
    """The same as text; "" where there is no text."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Any, *path: str, default: int = 0) -> int:
    """The same as a whole number."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def mapping(value: Any, *path: str) -> Object:
    """The same as an object; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def objects(value: Any, *path: str) -> list[Object]:
    """The objects of a list; empty where there is none."""
    found = at(value, *path)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list | tuple) else []


def name_of(value: Any) -> str:
    """The object's name."""
    return text(value, "metadata", "name")


def uid_of(value: Any) -> str:
    """The object's uid: the same name may be another object by now."""
    return text(value, "metadata", "uid")


def owner_uid(value: Any) -> str:
    """The uid of the controller that owns this object; "" when it has none."""
    owners = objects(value, "metadata", "ownerReferences")
    return next((text(owner, "uid") for owner in owners if owner.get("controller") is True), "")


def made_by(value: Any) -> str:
    """The controller that owns this object, such as "Route shop"; "" when it has none."""
    owners = [one for one in objects(value, "metadata", "ownerReferences") if one.get("controller") is True]
    return next((f"{text(one, 'kind')} {text(one, 'name')}" for one in owners), "")


def is_leaving(value: Any) -> bool:
    """Whether it is being deleted."""
    return bool(text(value, "metadata", "deletionTimestamp"))


def leaving(value: Any) -> str:
    """Until when an object that is being deleted is there."""
    holding = " and ".join(str(name) for name in at(value, "metadata", "finalizers") or ())
    return f"being deleted, until {holding} lets it go" if holding else "being deleted"


def condition(value: Any, kind: str) -> Object:
    """The condition of this type in the object's status; empty where there is none."""
    found = objects(value, "status", "conditions")
    return next((one for one in found if one.get("type") == kind), {})


def is_true(value: Any, kind: str) -> bool:
    """Whether the condition of this type is "True"."""
    return condition(value, kind).get("status") == "True"


def by_age(values: Iterable[Object]) -> list[Object]:
    """Oldest first; of the same second by name, so that the order never changes."""
    return sorted(values, key=lambda one: (text(one, "metadata", "creationTimestamp"), name_of(one)))


def managers_of(one: Object, *path: str) -> list[str]:
    """Who owns a field of an object, as its managedFields say."""
    owned = ("fieldsV1", *(f"f:{key}" for key in path))
    return [text(by, "manager") for by in objects(one, "metadata", "managedFields") if at(by, *owned) is not None]
