"""Secrets of the namespace as the configuration's secrets: which version is meant now, and values for the smoke test.

A Secret has no history: the values of then are there only while it is the same object in the same version, or while it
is immutable. An immutable one is pinned as such, so that a change of its labels makes no other version of it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from shipper.targets import Invalid, NotFound
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import SECRET
from shipper_targets.kubernetes.secret_refs import SecretRef, parse_reference
from shipper_targets.kubernetes.values import Object, at, mapping, text, uid_of

IMMUTABLE = "immutable"
"""In the place of a resourceVersion: values of such an object can never change."""


class KubeSecrets:
    """Needs `get` on the Secrets that are named, and on no others."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def versions(self, references: Mapping[str, str]) -> dict[str, str]:
        """Name to `kubernetes:SECRET/KEY@UID.VERSION`. A version means itself, as long as its value is there.

        Raises NotFound, Denied, Transient, Invalid for what is no reference.
        """
        read: dict[str, Object] = {}
        found = {}
        for name, reference in references.items():
            wanted = parse_reference(reference)
            if wanted.secret not in read:
                read[wanted.secret] = self._api.get(SECRET, wanted.secret)
            _value(read[wanted.secret], wanted)
            found[name] = str(_pinned(read[wanted.secret], wanted))
        return found

    def value(self, reference: str) -> bytes:
        """Of a reference or a version. Raises NotFound, Denied, Transient, Invalid."""
        wanted = parse_reference(reference)
        secret = self._api.get(SECRET, wanted.secret)
        encoded = _value(secret, wanted)
        _pinned(secret, wanted)
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Invalid(f"{wanted.key} of Secret {wanted.secret} is not base64") from error


def gone(secret: Object | None, version: str) -> str:
    """Why the value of then cannot come back, for people; "" when it is there."""
    wanted = parse_reference(version)
    if secret is None:
        return f"Secret {wanted.secret} is gone: create it, or pass --secrets current"
    try:
        _value(secret, wanted)
        _pinned(secret, wanted)
    except NotFound as error:
        return str(error)
    return ""


def _pinned(secret: Object, wanted: SecretRef) -> SecretRef:
    """The version that is there now; of a pinned one exactly that. Raises NotFound when its value may be another."""
    fixed = at(secret, "immutable") is True
    version = text(secret, "metadata", "resourceVersion")
    if not wanted.pinned:
        return wanted.at(uid_of(secret), IMMUTABLE if fixed else version)
    same = wanted.uid == uid_of(secret)
    if same and wanted.version == (IMMUTABLE if wanted.version == IMMUTABLE and fixed else version):
        return wanted
    how = "changed" if same else "made anew"
    raise NotFound(
        f"Secret {wanted.secret} was {how} since: its values of then are gone; pass --secrets current, "
        "and make it immutable to keep them"
    )


def _value(secret: Object, wanted: SecretRef) -> str:
    data = mapping(secret, "data")
    if wanted.key not in data:
        there = ", ".join(sorted(data)) or "nothing"
        raise NotFound(f"Secret {wanted.secret} has no {wanted.key} (it has {there})")
    return str(data[wanted.key])
