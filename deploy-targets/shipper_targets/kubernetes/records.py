"""The record of a release on the platform: one immutable Secret, with the release and the manifests that it was.

A Secret that is immutable can only be deleted: what was read once is true as long as its uid is there.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from shipper.model import Release
from shipper.targets import Conflict, Invalid, NotFound
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import SECRET
from shipper_targets.kubernetes.labels import FINGERPRINT, NUMBER, RELEASE, WORKLOAD
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.names import record_name, revision_name
from shipper_targets.kubernetes.packing import pack, pack_json, unpack, unpack_json
from shipper_targets.kubernetes.values import Object, name_of, text, uid_of

TYPE = "shipper.dev/release"
DIGEST = "shipper.dev/config-digest"
CREATED = "shipper.dev/created"
_RELEASE, _MANIFESTS = "release", "manifests"


QUOTA = "exceeded quota"
"""In what admission says of a namespace that is full."""


class NoRoom(Invalid):
    """The namespace's quota of Secrets is full."""

    hint = "`shipper gc --keep 1` takes old records away; or have the quota of Secrets raised"


class Record:
    """What a record says of itself without being opened: labels and annotations of its Secret."""

    def __init__(self, secret: Object) -> None:
        self._secret = secret

    @property
    def name(self) -> str:
        """The Secret's."""
        return name_of(self._secret)

    @property
    def uid(self) -> str:
        """Another record of the same name has another one."""
        return uid_of(self._secret)

    @property
    def revision(self) -> str:
        """The name of the release's revision."""
        return self.name.removeprefix(record_name(""))

    @property
    def release(self) -> str:
        """The release's id."""
        return text(self._secret, "metadata", "annotations", RELEASE)

    @property
    def number(self) -> int:
        """The release's number; -1 where it cannot be read."""
        found = text(self._secret, "metadata", "annotations", NUMBER)
        return int(found) if found.isdecimal() else -1

    @property
    def fingerprint(self) -> str:
        """The release's."""
        return text(self._secret, "metadata", "annotations", FINGERPRINT)

    @property
    def digest(self) -> str:
        """The config digest of the release's image."""
        return text(self._secret, "metadata", "annotations", DIGEST)

    @property
    def workload(self) -> str:
        """The name of the Deployment that it was made for."""
        return text(self._secret, "metadata", "annotations", WORKLOAD)

    @property
    def created(self) -> float | None:
        """When the release was made, in unix seconds."""
        found = text(self._secret, "metadata", "annotations", CREATED)
        return float(found) if found else None


class Records:
    """The records of one service. What was opened is remembered by uid."""

    def __init__(self, api: Api, base: str, query: str) -> None:
        self._api = api
        self._base = base
        self._query = query
        self._opened: dict[str, tuple[Release | None, Rendered | None]] = {}
        self._lock = threading.Lock()

    def all(self) -> list[Record]:
        """Oldest first, not opened: their contents do not travel."""
        found = [
            Record(one) for one in self._api.list_metadata(SECRET, labels=self._query, fields=f"type={TYPE}").items
        ]
        return sorted(found, key=lambda one: (one.number, one.release))

    def releases(self, records: Sequence[Record]) -> list[Release]:
        """Those that can be read: a newer shipper may have written others. One call for all that are not known yet."""
        if any(record.uid not in self._opened for record in records):
            for secret in self._api.list(SECRET, labels=self._query, fields=f"type={TYPE}").items:
                self._keep(secret)
        found = [self._opened.get(record.uid, (None, None))[0] for record in records]
        return sorted((one for one in found if one is not None), key=lambda one: (one.number, one.id))

    def release(self, record: Record) -> Release | None:
        """None when it is gone, or a newer shipper's."""
        return self._open(record)[0]

    def manifests(self, record: Record) -> Rendered | None:
        """What was applied for this release; None when it is gone, or a newer shipper's."""
        return self._open(record)[1]

    def write(self, release: Release, whole: Rendered, labels: Mapping[str, str]) -> None:
        """Once for a release: the same again is no error. Raises NoRoom; Invalid when the name is another release's."""
        body = secret_of(self._base, release, whole, labels, self._api.namespace)
        name = str(body["metadata"]["name"])
        try:
            self._keep(self._api.create(SECRET, body))
        except Invalid as error:
            if QUOTA not in str(error):
                raise
            # Quota is asked before anybody looks whether it is there.
            there = self._api.find(SECRET, name)
            if there is None:
                raise NoRoom(str(error)) from error
            self._keep_own(there, release)
        except Conflict:
            self._keep_own(self._api.get(SECRET, name), release)

    def _keep_own(self, there: Object, release: Release) -> None:
        if text(there, "metadata", "annotations", RELEASE) != release.id:
            raise Invalid(f"the Secret {name_of(there)} is there, and it is not the record of release {release.number}")
        self._keep(there)

    def delete(self, record: Record) -> None:
        """Gone already is no error; another one of this name stays."""
        try:
            self._api.delete(SECRET, record.name, uid=record.uid)
        except Conflict:
            return

    def _open(self, record: Record) -> tuple[Release | None, Rendered | None]:
        if record.uid not in self._opened:
            try:
                self._keep(self._api.get(SECRET, record.name))
            except NotFound:
                return None, None
        return self._opened.get(record.uid, (None, None))

    def _keep(self, secret: Object) -> None:
        opened = opened_secret(secret)
        with self._lock:
            self._opened[uid_of(secret)] = opened


def secret_of(
    base: str, release: Release, whole: Rendered, labels: Mapping[str, str], namespace: str
) -> dict[str, Any]:
    """The Secret of a release. Raises Invalid when it does not fit into one."""
    annotations = {
        RELEASE: release.id,
        NUMBER: str(release.number),
        FINGERPRINT: release.fingerprint,
        DIGEST: release.main.config_digest,
        WORKLOAD: whole.workload.name,
        CREATED: repr(release.created),
    }
    packed = {_RELEASE: pack_json(release.to_record(), "the record of this release"), _MANIFESTS: pack(whole)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "immutable": True,
        "metadata": {
            "name": record_name(revision_name(base, release)),
            "namespace": namespace,
            "labels": {**labels, RELEASE: release.id, NUMBER: str(release.number)},
            "annotations": annotations,
        },
        "data": {key: base64.b64encode(value).decode() for key, value in packed.items()},
    }


def opened_secret(secret: Object) -> tuple[Release | None, Rendered | None]:
    """Release and manifests; None for what cannot be read: a newer shipper wrote it, or somebody changed it."""
    return _release(secret), _manifests(secret)


def _release(secret: Object) -> Release | None:
    try:
        packed = base64.b64decode(text(secret, "data", _RELEASE), validate=True)
        return Release.from_record(unpack_json(packed, "the record"))
    except (Invalid, ValueError):
        return None


def _manifests(secret: Object) -> Rendered | None:
    try:
        return unpack(base64.b64decode(text(secret, "data", _MANIFESTS), validate=True))
    except (Invalid, ValueError):
        return None
