"""Every write to the Service: conditional on what was seen and on the epoch, by name, never whatever is the newest.

All are merge patches (RFC 7396) as the one field manager, with the resourceVersion that was read. A template is written
only with a new revision's name, and then as a whole: what others left in it would be in no record, and Knative refuses
any change of a named one (server-side apply would be such a change: it takes the webhook's defaults away).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from shipper.model import Release, Revision, ServiceSettings, Stamp
from shipper.model.context import Cancellation, Reporter
from shipper.targets import Conflict, Invalid, NotFound, Retired
from shipper_targets.knative import render, traffic
from shipper_targets.knative.admitted import to_note
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.cleaning import delete_revisions, never_verified
from shipper_targets.knative.drift import own_settings
from shipper_targets.knative.kinds import CLUSTER_LOCAL, VISIBILITY
from shipper_targets.knative.marks import (
    ADOPTED,
    ADOPTED_VISIBILITY,
    WRITTEN,
    annotation,
    is_stamped,
    own_release,
    read_stamp,
    stamp_text,
)
from shipper_targets.knative.names import name_of_release, tag_of
from shipper_targets.knative.observing import Found, seen_of
from shipper_targets.knative.patches import Patch, annotated, begun, untagged
from shipper_targets.knative.reading import Reading
from shipper_targets.knative.returning import own_of, with_place_of
from shipper_targets.knative.routing import until_deleted, until_given_up, until_routed
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.tagging import Tagging
from shipper_targets.knative.written import Written, carried, read_written, visibility_of, written
from shipper_targets.kubernetes.labels import STAMP, owner_of
from shipper_targets.kubernetes.managed import keeps_managed, refuse_managed, remark_managed
from shipper_targets.kubernetes.tries import made_again
from shipper_targets.kubernetes.values import Object, mapping, text

WHOLE = 100


class Writing:
    """One write upon what was seen: what others wrote in between is never overwritten."""

    def __init__(
        self,
        calls: Calls,
        reading: Reading,
        own: KnativeSettings,
        owner: ServiceSettings,
        report: Reporter | None,
        cancel: Cancellation | None,
    ) -> None:
        self._calls = calls
        self._reading = reading
        self._own = own
        self._owner = (owner.service, owner.environment)
        self._report = report
        self._cancel = cancel
        self._name = calls.name
        self._tagging = Tagging(calls, report)
        self._asked: tuple[object, float] | None = None
        """The last shift (epoch and weights) that is not known to be routed, and when it was first asked for."""

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """See the adapter. The same release again only gets its tag back."""
        name = name_of_release(self._name, release)
        service = self._expected(seen, stamp)
        refuse_managed([service] if service is not None else [])
        new = service is None or not self._is_there(service, name, release)
        made_with = own_of(release, self._own, self._records(release, service)) if new else None
        if service is None:
            assert made_with is not None, "it is new"
            self._create_first(release, made_with, name, stamp)
            return begun(name, release, WHOLE)
        made = self._changed(service, seen, stamp, lambda there: self._beside(there, release, made_with, name, stamp))
        return begun(name, release, traffic.asked_for(made).get(name, 0))

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        wanted = {name: weight for name, weight in weights.items() if weight}
        if wanted and sum(wanted.values()) != WHOLE:
            raise Invalid(f"weights sum to {sum(wanted.values())}, not to 100")
        service = self._expected(seen, stamp)
        if service is None:
            raise Invalid(f"there is no Knative Service {self._name} whose traffic could be moved")
        if not wanted:
            self._put_back_to_nothing(service, seen, stamp)
            return
        self._refuse_somebody_elses(service, stamp)
        self._refuse_unready(wanted, service)
        remark_managed([service], self._report)
        self._changed(service, seen, stamp, lambda there: self._shifted(there, wanted, stamp))
        self._wait_until_routed(wanted, stamp)

    def retire(self, names: Collection[str], to: Retired, stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        service = self._expected(seen, stamp)
        if service is None:
            return  # nothing is there that could be retired
        if busy := sorted({*traffic.about_to_serve(service), *traffic.on_its_way(service)} & {*names}):
            raise Invalid(f"{', '.join(busy)} has traffic")
        if to == "removed" and names and keeps_managed(service, names, self._report):
            to = "stopped"
        if to == "removed" and names and not traffic.about_to_serve(service) and never_verified(self._found(service)):
            self._delete(service, seen, stamp)
            return
        idle = self._tagging.idle(names) if to == "warm" else {*names}
        made = self._changed(service, seen, stamp, lambda there: untagged(there, idle, stamp))
        if to == "removed" and names:
            delete_revisions(self._calls, self._found(made), names, self._report)

    def untag(self, names: Collection[str], stamp: Stamp, seen: str) -> None:
        """One write under the fence before revisions are deleted: of those without traffic the tags go."""
        service = self._expected(seen, stamp)
        if service is not None:
            refuse_managed([service])
            self._changed(service, seen, stamp, lambda there: untagged(there, names, stamp))

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        service = self._expected(seen, stamp)
        if service is None:
            raise NotFound(f"there is no Knative Service {self._name} that could carry a stamp")
        self._changed(service, seen, stamp, lambda there: annotated(there, stamp, {}))

    def remove(self, stamp: Stamp, seen: str) -> None:
        """See the adapter. Raises Invalid for a Service that shipper never wrote: it is somebody else's."""
        service = self._expected(seen, stamp)
        if service is None:
            return
        refuse_managed([service])
        if not is_stamped(service) and not self._found(service).releases:
            raise Invalid(f"the Knative Service {self._name} was never released by shipper: nothing of ours is there")
        self._delete(service, seen, stamp)

    # What is there, and whether we may write.

    def _expected(self, seen: str, stamp: Stamp) -> Object | None:
        """The Service, if it is what was seen and nobody with a higher epoch was here; None if none was seen."""
        return self._as_seen(self._reading.seen(seen) or self._calls.service(), seen, stamp)

    def _as_seen(self, service: Object | None, seen: str, stamp: Stamp) -> Object | None:
        found = seen_of(service)
        if found != seen:
            raise Conflict(f"version {seen} of {self._name} was seen, {found} is there")
        labels = mapping(service, "metadata", "labels")
        if (owner := owner_of({key: str(value) for key, value in labels.items()})) not in (None, self._owner):
            raise Invalid(f"{self._name} is the Knative Service of {' in '.join(owner)}")
        epoch = read_stamp(service).epoch
        if stamp.epoch < epoch:
            raise Conflict(f"epoch {stamp.epoch} was overtaken by epoch {epoch}")
        return service

    def _changed(self, service: Object, seen: str, stamp: Stamp, patch_of: Callable[[Object], Patch]) -> Object:
        """Write; made again when only the status has changed since it was read."""
        return made_again(
            lambda there: self._calls.change(there, patch_of(there)),
            service,
            lambda: self._as_seen(self._calls.service(), seen, stamp),
        )

    def _found(self, service: Object) -> Found:
        return Found(self._name, self._own, service, self._calls.revisions(service))

    def _is_there(self, service: Object, name: str, release: Release) -> bool:
        """Whether this very release has its revision already, or gets it. Raises Invalid when the name is another's."""
        found = self._calls.revision(name)
        if found is None:
            return text(service, "spec", "template", "metadata", "name") == name
        there = own_release(self._name, found)
        if there is None or there.id != release.id:
            raise Invalid(f"a revision {name} is there, and it is not release {release.number}")
        return True

    def _refuse_unready(self, wanted: Mapping[str, int], service: Object) -> None:
        """The platform would accept it, fail to route it, and keep the request: so it is asked beforehand. What serves
        may have all of the traffic back whatever it says of itself.
        """
        asked = {*wanted} if len(wanted) > 1 else {*wanted} - {*traffic.routed(service)}
        for name in sorted(self._tagging.unready(asked)):
            if len(wanted) > 1:
                raise Invalid(
                    f'{name} is not ready here, and cannot share traffic: strategy = "all-at-once" takes it away'
                )
            raise Invalid(f"{name} is not ready here, and cannot take traffic")

    def _refuse_somebody_elses(self, service: Object, stamp: Stamp) -> None:
        """What somebody else has asked for since this run's last write is theirs, routed already or not. Raises
        Conflict, once it is routed: then whoever decides again sees it. A run's first write takes it over.
        """
        ours = read_written(service)
        if ours is None or ours.epoch != stamp.epoch or not (coming := traffic.on_its_way(service)):
            return
        until_given_up(self._calls, coming, self._cancel)
        raise Conflict(f"somebody else asked for {traffic.show(coming)} meanwhile")

    def _records(self, release: Release, service: Object | None) -> Collection[Release]:
        """What the platform has of earlier releases, where one of them comes back."""
        if release.rollback_to is None or service is None:
            return ()
        return self._found(service).releases.values()

    def _wait_until_routed(self, wanted: Mapping[str, int], stamp: Stamp) -> None:
        """Asked again (its answer was lost, or it was not routed in time) it has no more time than at first."""
        asked = (stamp.epoch, tuple(sorted(wanted.items())))
        if self._asked is None or self._asked[0] != asked:
            self._asked = asked, time.monotonic()
        until_routed(self._calls, wanted, self._cancel, self._asked[1])
        self._asked = None

    # What is written.

    def _create_first(self, release: Release, own: KnativeSettings, name: str, stamp: Stamp) -> None:
        release, weights = with_place_of(release, own), {name: WHOLE}
        note = Written(traffic=weights, newest=name, visibility=own.visibility, epoch=stamp.epoch)
        annotations = {STAMP: stamp_text(stamp), WRITTEN: note.model_dump_json()}
        targets = traffic.targets(weights, {tag_of(release.number): name})
        self._calls.create(render.service_of(release, own, self._name, targets, annotations))

    def _beside(self, service: Object, release: Release, own: KnativeSettings | None, name: str, stamp: Stamp) -> Patch:
        """The revision beside those that serve, with a tag and no traffic; all of it where nothing serves. `own`: what
        it is made with; None when it is there.
        """
        weights = self._pinned(service) or {name: WHOLE}
        tagged = {**self._tagging.beside(service, weights), tag_of(release.number): name}
        alone = (own or self._own).visibility if weights == {name: WHOLE} else ""
        adopting = {} if is_stamped(service) else self._found(service).adopting
        patch = self._with_traffic(service, weights, tagged, stamp, alone, name if own is not None else "", adopting)
        if own is not None:
            wanted = render.template_of(with_place_of(release, own), own, self._name)
            patch["spec"]["template"] = render.replacing(mapping(service, "spec", "template"), wanted)
            labels = render.labels_of_service(release, own, self._name)
            patch["metadata"]["labels"] = {**labels, **patch["metadata"].get("labels", {})}
        return patch

    def _shifted(self, service: Object, wanted: Mapping[str, int], stamp: Stamp) -> Patch:
        alone = self._visibility(next(iter(wanted)), service) if len(wanted) == 1 else ""
        return self._with_traffic(service, wanted, self._tagging.shifted(service, wanted, stamp), stamp, alone)

    def _pinned(self, service: Object) -> dict[str, int]:
        """What the traffic stays at while a revision is made: what is on its way, if it can get there, else what serves
        or is about to. A dead run's first attempt is no exception: the new one serves when it is asked to.
        """
        coming = traffic.on_its_way(service)
        return coming if coming and not self._tagging.unready(coming) else traffic.about_to_serve(service)

    def _with_traffic(
        self,
        service: Object,
        weights: Mapping[str, int],
        tagged: Mapping[str, str],
        stamp: Stamp,
        alone: str,
        newest: str = "",
        more: Mapping[str, str] | None = None,
    ) -> Patch:
        """Traffic and annotations; where one release has all of it, its visibility (`alone`) as well. What somebody
        changed by hand since this run began stays, and is drift.
        """
        before = read_written(service)
        later = before if before is not None and before.epoch == stamp.epoch else None
        if later is not None and later.visibility != visibility_of(service):
            alone = ""
        note = written(service, weights, newest, stamp.epoch) if later is None else carried(later, weights, newest)
        note = note.model_copy(update={"scaling": to_note(service, weights, self._calls.revision)})
        if alone:
            note = note.model_copy(update={"visibility": alone})
        patch = annotated(service, stamp, {**(more or {}), WRITTEN: note.model_dump_json()})
        if alone and alone != visibility_of(service):
            patch["metadata"]["labels"] = {VISIBILITY: CLUSTER_LOCAL if alone == CLUSTER_LOCAL else None}
        patch["spec"] = {"traffic": traffic.targets(weights, tagged, traffic.following(service))}
        return patch

    def _visibility(self, name: str, service: Object) -> str:
        """What this release wants, and what #0 had; "" for others' revisions: then it stays."""
        found = self._calls.revision(name)
        release = own_release(self._name, found) if found is not None else None
        if release is None:
            return annotation(service, ADOPTED_VISIBILITY) if name == annotation(service, ADOPTED) else ""
        own = self._own if release.place is None else own_settings(release)
        return own.visibility if own is not None else ""

    def _put_back_to_nothing(self, service: Object, seen: str, stamp: Stamp) -> None:
        if not never_verified(self._found(service)):
            raise Invalid(
                f"Knative cannot take all traffic away from {self._name}: give it to another revision, or delete it"
            )
        self._delete(service, seen, stamp)

    def _delete(self, service: Object, seen: str, stamp: Stamp) -> None:
        """Gone already is no error."""
        now = self._calls.service
        made_again(self._calls.delete, service, lambda: self._as_seen(now() or service, seen, stamp))
        until_deleted(self._calls, service)
