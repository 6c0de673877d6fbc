"""What has no traffic any more leaves its way; what was applied for it, and is not needed by what stays, goes too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from shipper.model import Revision, Stamp
from shipper.targets import Conflict, Invalid, NotFound, Retired
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kinds import DEPLOYMENT, SERVICE, Kind
from shipper_targets.kubernetes.manifest import Key, Rendered
from shipper_targets.kubernetes.observing import waits_for, weights_of
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.prune import KEEP, is_kept, may_go, obsolete
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.rollouts import release_in, wanted_pods
from shipper_targets.kubernetes.values import name_of, uid_of
from shipper_targets.kubernetes.writing import Writing
from shipper_targets.kubernetes.writing_weighted import scale

_EMPTY = Rendered((), Key("", "", "", ""), "")
_TRAFFIC = ("Deployment", "Service", "HTTPRoute")


class Retiring:
    """Of one service."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._api = writing.api
        self._records = writing.reading.records

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        found = self._writing.fence.expected(stamp, seen)
        names = {one.name for one in revisions}
        self._refuse_serving(found, names)
        carrier = found.carrier
        if carrier is None:
            return
        found = self._writing.fence.marked(found, stamp, carrier)
        if to == "removed":
            found = self._as_it_was(found, names)
        for name in sorted(names):
            self._one(found, name, to)
        if found.shape == "rolling" and to != "removed":
            self._stop_others(found, names)
        self.prune(found, gone=names if to == "removed" else ())

    def _as_it_was(self, found: Found, gone: Collection[str]) -> Found:
        """What releases that came after what serves have changed around it, and do not need any more."""
        weights = weights_of(found)
        serving = found.workload(max(weights, key=lambda name: weights[name], default=""))
        record = found.record(release_in(serving)) if serving is not None else None
        whole = self._records.manifests(record) if record is not None else None
        if whole is None or record is None:
            return found
        newer = [one for one in found.records if one.revision in gone and one.number > record.number]
        if not newer:
            return found
        others = [self._records.manifests(one) for one in newer]
        return self._writing.settle(found, whole, others, last=whole, every=True)

    def prune(self, found: Found, gone: Collection[str] = ()) -> list[Key]:
        """Delete what was applied for earlier releases, and neither what stays needs nor anybody else owns.

        What a recorded release is brought back with stays as long as its record: ConfigMaps that never change.
        """
        before = self._known(found)
        self._records.releases(before)  # all of them are opened by one call
        stays = self._needed(found, gone)
        if stays is None:
            return []
        if not stays:  # a first release that failed: only what belonged to it
            before = [record for record in before if record.revision in gone]
        opened = [whole for record in before if (whole := self._records.manifests(record)) is not None]
        kept = [record for record in found.records if record.revision not in gone]
        held = [whole for record in kept if (whole := self._records.manifests(record)) is not None]
        keys = obsolete(opened, stays[0] if stays else _EMPTY, stays[1:] if stays else held)
        immutable = {one.key for whole in held for one in whole.manifests if one.body.get("immutable") is True}
        return self.delete(found, [key for key in keys if key not in immutable])

    def delete(self, found: Found, keys: Iterable[Key]) -> list[Key]:
        """Those of these objects that are there and ours; never a Deployment or Service that has traffic, and a route
        only when the Service has its traffic.
        """
        asked = {name_of(one) for one in found.deployments if found.named_after_release(one) in weights_of(found)}
        serving = {found.base, *asked}
        wanted = [
            key
            for key in keys
            if key.kind not in _TRAFFIC or key.name not in serving or (key.kind == "HTTPRoute" and _is_left(found))
        ]
        done = at_once([partial(self._delete, found, key) for key in wanted])
        return [key for key, gone in zip(wanted, done, strict=True) if gone]

    def _delete(self, found: Found, key: Key) -> bool:
        kind = self._served(found, key)
        if kind is None:
            return False
        live = self._api.find(kind, key.name, key.namespace or None)
        if live is None or not may_go(live, found.base):
            return False
        if is_kept(live):
            if self._writing.report is not None:
                self._writing.report.remark(f"{key} is not needed any more, and stays: its {KEEP} is keep")
            return False
        try:
            self._api.delete(kind, key.name, uid=uid_of(live), namespace=key.namespace or None)
        except (Conflict, NotFound):
            return False
        return True

    def _served(self, found: Found, key: Key) -> Kind | None:
        """By whichever version it was recorded with that the cluster still serves. None: nothing of it is there."""
        for known in dict.fromkeys(self._seen_kinds(found, key)):
            if (kind := self._api.find_kind(*known)) is not None:
                return kind
        return None

    def _known(self, found: Found) -> list[Record]:
        """What is there, and what this run has deleted to make room: that was opened before."""
        return [*found.records, *self._writing.dropped]

    def _seen_kinds(self, found: Found, key: Key) -> Iterable[tuple[str, str]]:
        for record in self._known(found):
            whole = self._records.manifests(record)
            manifest = whole.find(key) if whole is not None else None
            if manifest is not None:
                yield manifest.api_version, manifest.kind

    def _needed(self, found: Found, gone: Collection[str]) -> list[Rendered] | None:
        """Of what has traffic, what runs beside it, and what is being rolled out: what serves first. None where nobody
        knows what serves needs: then nothing is removed.
        """
        weights, needed = weights_of(found), list[Rendered]()
        carried = [one for one in found.deployments if release_in(one)]
        for one in sorted(carried, key=lambda one: -weights.get(found.named_after_release(one), 0)):
            name, record = found.named_after_release(one), found.record(release_in(one))
            whole = self._records.manifests(record) if record is not None else None
            if name in gone:
                continue
            if whole is not None:
                needed.append(whole)
            elif name in weights:
                return None
        return needed

    def _refuse_serving(self, found: Found, names: Collection[str]) -> None:
        weights = weights_of(found)
        for name in sorted(names):
            deployment = found.workload(name)
            asked = found.service is not None and deployment is not None
            selected = asked and found.selected(found.service or {}) == name_of(deployment)
            per_release = deployment is not None and found.is_per_release(deployment)
            if weights.get(name) or (selected and per_release):
                raise Invalid(f"{name} has traffic, and stays")

    def _stop_others(self, found: Found, names: Collection[str]) -> None:
        """Deployments of the strategy before this one that are not the way back: their pods would run for ever."""
        weights = weights_of(found)
        for one in found.deployments if waits_for(found) is None else ():
            name = found.named_after_release(one)
            if found.is_per_release(one) and name not in names and not weights.get(name) and wanted_pods(one):
                scale(self._writing, one, 0)

    def _one(self, found: Found, name: str, to: Retired) -> None:
        deployment = found.workload(name)
        if deployment is not None and not release_in(deployment):
            return  # it was there before us, and is not ours to stop
        if deployment is not None and to == "stopped" and wanted_pods(deployment) and waits_for(found) is None:
            scale(self._writing, deployment, 0)
        if to != "removed":
            return
        if deployment is not None:
            self._api.delete(DEPLOYMENT, name_of(deployment), uid=uid_of(deployment))
            self._delete_service(found, name)
        if found.shape == "rolling" and (record := self._record(found, name)) is not None:
            self._records.delete(record)

    def _delete_service(self, found: Found, name: str) -> None:
        service = next((one for one in found.services if name_of(one) == name), None)
        if service is not None and name != found.base and may_go(service, found.base):
            self._api.delete(SERVICE, name, uid=uid_of(service))

    def _record(self, found: Found, name: str) -> Record | None:
        return next((one for one in found.records if one.revision == name), None)


def _is_left(found: Found) -> bool:
    """Whether the route is from a Gateway of before, and nobody comes by it to anything but the Service."""
    return not found.routes and bool(weights_of(found)) and found.backends() == {found.base: 100}
