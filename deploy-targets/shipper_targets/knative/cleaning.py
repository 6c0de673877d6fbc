"""Clean-up: revisions of releases that need not come back. Their records go with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from shipper.model import Garbage
from shipper.model.context import Reporter
from shipper.targets import delete_each
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.marks import ADOPTED, is_stamped, read_stamp
from shipper_targets.knative.observing import Found
from shipper_targets.knative.traffic import LATEST, about_to_serve, asked_for, foreign_tags
from shipper_targets.kubernetes.tries import made_again
from shipper_targets.kubernetes.values import Object, mapping, name_of, text

KIND = "revision"


def garbage_of(found: Found, keep: Collection[int]) -> list[Garbage]:
    """Revisions of ours that neither serve nor have one of these numbers. Images are others' to clean up: the
    registry's own policy, which keeps every way back.
    """
    if found.service is None:
        return []
    needed = in_use(found)
    return [
        Garbage(kind=KIND, name=name, why=f"release {release.number} need not come back")
        for name, release in found.releases.items()
        if name not in needed and release.number not in keep
    ]


def in_use(found: Found) -> set[str]:
    """Revisions that somebody reaches: with traffic, routed or asked for, with somebody else's tag; and the newest one,
    which Knative would make again, for as long as there is the Service.
    """
    service = found.service
    if service is None:
        return set()
    template = text(service, "spec", "template", "metadata", "name")
    newest = {text(service, "status", "latestCreatedRevisionName"), template}
    return {*about_to_serve(service), *asked_for(service), *foreign_tags(service).values(), *newest} - {"", LATEST}


def delete_revisions(calls: Calls, found: Found, names: Collection[str], report: Reporter | None) -> list[str]:
    """Delete those of ours among `names` that nothing needs any more; returns the names of those that are gone.

    What the platform does not let us delete stays, and is told. Never raises for a deletion: the write before it was
    carried out.
    """
    needed, there = in_use(found), {name_of(one): one for one in found.revisions}

    def delete(name: str) -> None:
        if name in there:
            _delete(calls, there[name], found)

    ours = (name for name in names if name not in needed and (name not in there or name in found.releases))
    return delete_each(ours, delete, report)


def _delete(calls: Calls, revision: Object, found: Found) -> None:
    """As it was read, so that none is deleted that somebody has given traffic to since; again, when nobody has: Knative
    writes on it, too, that its tag is gone. Raises Conflict.
    """

    def still() -> Object | None:
        # Before the Service, so that what is routed to it after both were read is another version; gone is no error.
        now = calls.revision(name_of(revision)) or revision
        return None if name_of(revision) in in_use(replace(found, service=calls.service())) else now

    made_again(calls.delete_revision, revision, still)


def never_verified(found: Found) -> bool:
    """Whether the whole Service is first attempts of ours: nothing of it was ever good, so it may go as a whole.

    Not where something was there before our stamp: somebody else's Service, or one whose stamp was lost.
    """
    service = found.service
    if service is None or ADOPTED in mapping(service, "metadata", "annotations") or not is_stamped(service):
        return False
    return not read_stamp(service).verified and len(found.releases) == len(found.revisions)
