"""What nothing needs any more: records of old releases, and the Deployments that still belong to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shipper.model import Garbage, Stamp
from shipper.model.context import Reporter
from shipper.targets import Conflict, Denied, Invalid
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.in_use import in_use
from shipper_targets.kubernetes.kinds import DEPLOYMENT
from shipper_targets.kubernetes.left_jobs import LEFTOVER, end_job
from shipper_targets.kubernetes.retiring import Retiring
from shipper_targets.kubernetes.rollouts import release_in
from shipper_targets.kubernetes.values import name_of, text, uid_of
from shipper_targets.kubernetes.writing import Writing

RECORD, REVISION = "record", "revision"


def garbage_of(found: Found, keep: Collection[int]) -> list[Garbage]:
    """Deployments and records of ours that neither serve, nor are in use, nor have one of these numbers."""
    needed = in_use(found)
    unwanted = []
    for one in found.deployments:
        number = text(one, "metadata", "annotations", "shipper.dev/number")
        if release_in(one) and release_in(one) not in needed and number.isdecimal() and int(number) not in keep:
            why = f"release {number} need not come back"
            unwanted.append(Garbage(kind=REVISION, name=name_of(one), why=why))
    old = [one for one in found.records if one.release not in needed and one.number not in keep]
    unwanted += [Garbage(kind=RECORD, name=one.name, why=f"release {one.number} need not come back") for one in old]
    return unwanted


class Cleaning:
    """Of one service."""

    def __init__(self, writing: Writing, retiring: Retiring, report: Reporter | None) -> None:
        self._writing = writing
        self._retiring = retiring
        self._report = report

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        """See the adapter."""
        found = self._writing.fence.enter(stamp, seen)
        needed, gone = in_use(found), list[Garbage]()
        for item in garbage:
            try:
                if self._remove(found, item, needed):
                    gone.append(item)
            except (Conflict, Denied, Invalid) as error:
                if self._report is not None:
                    self._report.remark(f"{item.kind} {item.name} stays for now: {error}")
        names = {item.name.removeprefix("shipper-") for item in gone}
        self._retiring.prune(found, gone=names)
        return tuple(gone)

    def _remove(self, found: Found, item: Garbage, needed: Collection[str]) -> bool:
        """Whether it is not there any more."""
        if item.kind == LEFTOVER:
            end_job(self._writing.api, item.name, found.base)
            return True
        if item.kind == REVISION:
            deployment = found.deployment(item.name)
            if deployment is None:
                return True
            if release_in(deployment) in needed:
                return False
            self._writing.api.delete(DEPLOYMENT, item.name, uid=uid_of(deployment))
            return True
        if item.kind == RECORD:
            record = next((one for one in found.records if one.name == item.name), None)
            if record is None:
                return True
            if record.release in needed:
                return False
            self._writing.reading.records.manifests(record)  # opened, so that its objects can go with it
            self._writing.reading.records.delete(record)
            return True
        return False
