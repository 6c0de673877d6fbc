"""Clean-up: revisions of releases that need not come back. Their records go with them."""

from __future__ import annotations

from collections.abc import Collection

from shipper.model import Garbage
from shipper.model.context import Reporter
from shipper.targets import delete_each
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.marks import ADOPTED, STAMP, read_stamp
from shipper_targets.cloudrun.names import short_name
from shipper_targets.cloudrun.observing import Found
from shipper_targets.cloudrun.traffic import LATEST, about_to_serve, asked_for, foreign_tags

KIND = "revision"


def garbage_of(found: Found, keep: Collection[int]) -> list[Garbage]:
    """Revisions of ours that neither serve nor have one of these numbers. Images are others' to clean up: the
    repository's own policy, which keeps every way back.
    """
    service = found.service
    if service is None:
        return []
    needed = in_use(found)
    return [
        Garbage(kind=KIND, name=name, why=f"release {release.number} need not come back")
        for name, release in found.releases.items()
        if name not in needed and release.number not in keep
    ]


def in_use(found: Found) -> set[str]:
    """Revisions that the platform would not let go, or that somebody reaches: with traffic, routed or asked for, with
    somebody else's tag, and the newest one, which Cloud Run keeps for as long as there is the service.
    """
    service = found.service
    if service is None:
        return set()
    newest = {short_name(service.latest_created_revision), service.template.revision}
    return {*about_to_serve(service), *asked_for(service), *foreign_tags(service).values(), *newest} - {"", LATEST}


def delete_revisions(api: Api, found: Found, names: Collection[str], report: Reporter | None) -> list[str]:
    """Delete those of ours among `names` that nothing needs any more; returns the names of those that are gone.

    What the platform still holds on to (it needs a while to take a revision out of service), or does not let us
    delete, stays, and is told. Never raises for a deletion: the write before it was carried out.
    """
    needed, there = in_use(found), {short_name(one.name): one for one in found.revisions}

    def delete(name: str) -> None:
        if name in there:
            api.delete_revision(there[name])

    ours = (name for name in names if name not in needed and (name not in there or name in found.releases))
    return delete_each(ours, delete, report)


def never_verified(found: Found) -> bool:
    """Whether the whole service is first attempts of ours: nothing of it was ever good, so it may go as a whole.

    Not where something was there before our stamp: somebody else's service, or one whose stamp was lost.
    """
    service = found.service
    if service is None or ADOPTED in service.annotations or STAMP not in service.annotations:
        return False
    return not read_stamp(service).verified and len(found.releases) == len(found.revisions)
