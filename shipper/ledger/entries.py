"""Entries as bytes. What a newer shipper wrote is read as far as we understand it, and refused where it says so."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from pydantic import ValidationError

from shipper.errors import LedgerError
from shipper.model import Adopted, Entry, Finished, Noun, Removed, Started
from shipper.model.json_text import parse_json
from shipper.model.ledger import Unknown

SCHEMA = 1

Kind = TypeVar("Kind", bound=Noun)

_KINDS: dict[str, type[Started] | type[Finished] | type[Adopted] | type[Removed]] = {
    "started": Started,
    "finished": Finished,
    "adopted": Adopted,
    "removed": Removed,
}
_UPGRADE = "a newer shipper wrote it: upgrade shipper on this machine"


def entry_bytes(entry: Entry) -> bytes:
    """One line of JSON."""
    return entry.model_dump_json().encode() + b"\n"


def nonce_of(body: bytes) -> str | None:
    """Whose entry, lease or snapshot this is, whatever else is in it; None when it cannot be told."""
    try:
        value = parse_json(body)
    except ValueError:
        return None
    nonce = value.get("nonce") if isinstance(value, dict) else None
    return nonce if isinstance(nonce, str) else None


def read_entry(body: bytes, name: str, position: int, service: str, *, whole: bool = False) -> Entry:
    """The entry. `name` is the object's, for messages.

    Fields that we do not know are left out, unless it has to be `whole` (a release that is to be brought back).
    A kind that we do not know is Unknown. Raises LedgerError for what is no entry of this log, was written under
    another schema, or is critical and unknown.
    """
    value = _object(body, name)
    if value.get("schema_number") != SCHEMA:
        what = f"has schema {value.get('schema_number')!r}, and this shipper knows {SCHEMA}"
        raise LedgerError(f"{name} {what}", hint=_UPGRADE)
    fact = value.pop("fact", None)
    kind = fact.get("kind") if isinstance(fact, dict) else None
    if not isinstance(fact, dict) or not isinstance(kind, str):
        raise _not_ours(name, "it has no fact")
    if kind not in _KINDS and value.get("critical") is True:
        raise LedgerError(f"{name} is of kind {kind!r}, which every reader has to know", hint=_UPGRADE)
    entry = _validated(Entry, {**value, "fact": _fact(kind, fact, name, whole=whole)}, name, whole=whole)
    if entry.position != position:
        raise _not_ours(name, f"it says that it is entry {entry.position}")
    if isinstance(entry.fact, Started) and entry.fact.release.service != service:
        raise _not_ours(name, f"it belongs to the service {entry.fact.release.service}")
    return entry


def _fact(kind: str, fact: dict[str, Any], name: str, *, whole: bool) -> Noun:
    if kind not in _KINDS:
        return Unknown(kind=kind, body={key: value for key, value in fact.items() if key != "kind"})
    return _validated(_KINDS[kind], fact, name, whole=whole)


def _object(body: bytes, name: str) -> dict[str, Any]:
    try:
        value = parse_json(body)
    except ValueError as error:
        raise _not_ours(name, f"it is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise _not_ours(name, "it is not a JSON object")
    return value


def _validated(kind: type[Kind], value: dict[str, Any], name: str, *, whole: bool) -> Kind:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        unknown = [problem["loc"] for problem in error.errors() if problem["type"] == "extra_forbidden"]
        if len(unknown) < error.error_count():
            raise _not_ours(name, _first_of(error)) from error
        if whole:
            where = ".".join(str(step) for step in unknown[0])
            raise LedgerError(f"{name} has a field that this shipper does not know: {where}", hint=_UPGRADE) from error
    try:
        return kind.model_validate(_without(value, unknown))
    except ValidationError as error:
        raise _not_ours(name, _first_of(error)) from error
    except (LookupError, TypeError):  # inside a union: where it is cannot be told
        raise LedgerError(f"{name} has fields that this shipper does not know", hint=_UPGRADE) from None


def _first_of(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"


def _without(value: dict[str, Any], unknown: list[tuple[int | str, ...]]) -> dict[str, Any]:
    rest = copy.deepcopy(value)
    for path in unknown:
        holder: Any = rest
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
    return rest


def _not_ours(name: str, why: str) -> LedgerError:
    return LedgerError(
        f"{name} is not an entry of this ledger: {why}",
        hint="restore this object from a backup, or use another ledger; the platform's own records still serve",
    )
