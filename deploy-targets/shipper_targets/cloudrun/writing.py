"""Every write to the service: conditional on what was seen and on the epoch, by name, never LATEST."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from google.cloud import run_v2

from shipper.model import Release, Revision, ServiceSettings, Stamp
from shipper.model.context import Cancellation, Reporter
from shipper.targets import Conflict, Invalid, NotFound, Retired, retry_transient
from shipper_targets.cloudrun import render, traffic
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.cleaning import delete_revisions, never_verified
from shipper_targets.cloudrun.drift import own_settings
from shipper_targets.cloudrun.marks import ADOPTED, ADOPTED_SERVICE, STAMP, own_release, read_stamp, stamp_text
from shipper_targets.cloudrun.names import is_our_tag, owner_of, short_name, tag_of
from shipper_targets.cloudrun.observing import ABSENT, Found, state_of
from shipper_targets.cloudrun.reading import Reading
from shipper_targets.cloudrun.routing import until_deleted, until_given_up, until_routed
from shipper_targets.cloudrun.settings import CloudRunSettings
from shipper_targets.cloudrun.whole_service import PATHS, by_hand, recalled, remembered, take
from shipper_targets.cloudrun.written import WRITTEN, carried, fields_of, read_written, written

WHOLE = 100


class Writing:
    """One write with the etag of what was seen: what others wrote in between is never overwritten."""

    def __init__(
        self,
        api: Api,
        reading: Reading,
        own: CloudRunSettings,
        owner: ServiceSettings,
        report: Reporter | None,
        cancel: Cancellation | None,
    ) -> None:
        self._api = api
        self._reading = reading
        self._own = own
        self._owner = (owner.service, owner.environment)
        self._report = report
        self._cancel = cancel
        self._id = api.names.service_id

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """See the adapter. The same release again only gets its tag back."""
        service = self._expected(seen, stamp)
        wanted = render.service_of(release, self._own, self._id)
        name = wanted.template.revision
        if service is None:
            weights = {name: WHOLE}
            wanted.traffic = traffic.targets(weights, {tag_of(release.number): name})
            wanted.annotations = {STAMP: stamp_text(stamp), WRITTEN: written(wanted, weights, name, stamp.epoch)}
            self._api.create(wanted)
        else:
            weights = self._pinned(service) or {name: WHOLE}
            tagged = {**self._kept_tags(service, weights), tag_of(release.number): name}
            adopting = {} if STAMP in service.annotations else self._adopting(service)
            new = not self._is_there(name, release)
            alone = wanted if weights == {name: WHOLE} else None
            paths = render.revision_fields(self._own) if new else render.TRAFFIC_FIELDS
            if new:
                _take_over(service, wanted)
            more = self._set_traffic(service, weights, tagged, stamp, alone, name if new else "", adopting)
            self._api.update(service, (*paths, *more))
        return self._begun(name, release, weights.get(name, 0))

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        wanted = {name: weight for name, weight in weights.items() if weight}
        if wanted and sum(wanted.values()) != WHOLE:
            raise Invalid(f"weights sum to {sum(wanted.values())}, not to 100")
        service = self._there(seen, stamp)
        if not wanted:
            self._put_back_to_nothing(service)
            return
        self._refuse_somebody_elses(service, stamp)
        self._refuse_unready(wanted, service)
        sharing = wanted if len(wanted) > 1 else {}
        alone = self._whole_service(next(iter(wanted)), service) if len(wanted) == 1 else None
        more = self._set_traffic(service, wanted, self._kept_tags(service, sharing), stamp, alone)
        self._api.update(service, (*render.TRAFFIC_FIELDS, *more))
        until_routed(self._api, wanted, self._cancel, whole=bool(more))

    def retire(self, names: Collection[str], to: Retired, stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        service = self._expected(seen, stamp)
        if service is None:
            return  # nothing is there that could be retired
        if busy := sorted({*traffic.about_to_serve(service), *traffic.on_its_way(service)} & {*names}):
            raise Invalid(f"{', '.join(busy)} has traffic")
        if to == "removed" and names and not traffic.about_to_serve(service) and never_verified(self._found(service)):
            self._delete(service)
            return
        kept = [one for one in service.traffic if not _is_dropped(one, names)]
        paths: Sequence[str] = render.STAMP_FIELDS if len(kept) == len(service.traffic) else render.TRAFFIC_FIELDS
        service.traffic = kept
        self._annotate(service, stamp, {})
        self._api.update(service, paths)
        if to == "removed" and names:
            delete_revisions(self._api, self._found(self._read()), names, self._report)

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        service = self._expected(seen, stamp)
        if service is None:
            raise NotFound(f"there is no service {self._id} that could carry a stamp")
        self._annotate(service, stamp, {})
        self._api.update(service, render.STAMP_FIELDS)

    def remove(self, stamp: Stamp, seen: str) -> None:
        """See the adapter. Raises Invalid for a service that shipper never wrote: it is somebody else's."""
        service = self._expected(seen, stamp)
        if service is None:
            return
        if STAMP not in service.annotations and not self._found(service).releases:
            raise Invalid(f"the Cloud Run service {self._id} was never released by shipper: nothing of ours is there")
        self._delete(service)

    # What is there, and whether we may write.

    def _read(self) -> run_v2.Service | None:
        return retry_transient(self._api.service)

    def _found(self, service: run_v2.Service | None) -> Found:
        return Found(self._api.names, service, retry_transient(self._api.revisions))

    def _expected(self, seen: str, stamp: Stamp) -> run_v2.Service | None:
        """The service, if it is what was seen and nobody with a higher epoch was here; None if none was seen."""
        service = self._reading.seen(seen) or self._read()
        found = service.etag if service is not None else ABSENT
        if found != seen:
            raise Conflict(f"version {seen} of {self._id} was seen, {found} is there")
        if service is not None and (owner := owner_of(dict(service.labels))) not in (None, self._owner):
            raise Invalid(f"{self._id} is the Cloud Run service of {' in '.join(owner)}")
        epoch = read_stamp(service).epoch
        if stamp.epoch < epoch:
            raise Conflict(f"epoch {stamp.epoch} was overtaken by epoch {epoch}")
        return service

    def _there(self, seen: str, stamp: Stamp) -> run_v2.Service:
        service = self._expected(seen, stamp)
        if service is None:
            raise Invalid(f"there is no service {self._id} whose traffic could be moved")
        return service

    def _is_there(self, name: str, release: Release) -> bool:
        """Whether this very release has its revision already. Raises Invalid when somebody else has its name."""
        found = retry_transient(lambda: self._api.revision(name))
        if found is None:
            return False
        there = own_release(self._id, found.name, dict(found.annotations))
        if there is None or there.id != release.id:
            raise Invalid(f"a revision {name} is there, and it is not release {release.number}")
        return True

    def _refuse_unready(self, wanted: Mapping[str, int], service: run_v2.Service) -> None:
        """The platform would accept it, fail to route it, and keep the request: so it is asked beforehand."""
        for name in sorted(self._unready({*wanted} - {*traffic.routed(service)})):
            raise Invalid(f"{name} is not ready here, and cannot take traffic")

    def _refuse_somebody_elses(self, service: run_v2.Service, stamp: Stamp) -> None:
        """What somebody else has asked for since this run's last write is theirs, routed already or not. Raises
        Conflict, once it is routed: then whoever decides again sees it. A run's first write takes it over.
        """
        ours = read_written(service)
        if ours is None or ours.epoch != stamp.epoch or not (coming := traffic.on_its_way(service)):
            return
        until_given_up(self._api, coming, self._cancel)
        raise Conflict(f"somebody else asked for {traffic.show(coming)} meanwhile")

    # What is written.

    def _pinned(self, service: run_v2.Service) -> dict[str, int]:
        """What the traffic stays at while a revision is made: what is on its way, if it can get there, else what serves
        or is about to. A dead run's first attempt is no exception: the new one serves when it is asked to.
        """
        coming = traffic.on_its_way(service)
        return coming if coming and not self._unready(coming) else traffic.about_to_serve(service)

    def _kept_tags(self, service: run_v2.Service, sharing: Collection[str]) -> dict[str, str]:
        """As in traffic.py, but for others' of revisions that are not ready: Cloud Run would route nothing at all."""
        kept = traffic.kept_tags(service, sharing)
        follow, now = traffic.following(service), traffic.routed(service)
        asked = {name for tag, name in kept.items() if name not in now and not is_our_tag(tag) and tag not in follow}
        unready = self._unready(asked)
        for tag, name in kept.items():
            if name in unready and not is_our_tag(tag) and self._report is not None:
                self._report.remark(
                    f"the tag {tag} of {name} was taken away: {name} is not ready, nothing can be routed"
                )
        return {tag: name for tag, name in kept.items() if is_our_tag(tag) or name not in unready}

    def _unready(self, names: Collection[str]) -> set[str]:
        found = {name: retry_transient(partial(self._api.revision, name)) for name in sorted(names)}
        return {name for name, one in found.items() if one is None or state_of(one) != "running"}

    def _set_traffic(
        self,
        service: run_v2.Service,
        weights: Mapping[str, int],
        tagged: Mapping[str, str],
        stamp: Stamp,
        alone: run_v2.Service | None,
        newest: str = "",
        more: Mapping[str, str] | None = None,
    ) -> tuple[str, ...]:
        """Traffic and annotations, in place; where one release has all of it (`alone`), what holds for the whole
        service as well. Returns the paths of the latter. What somebody changed by hand since this run began stays, and
        is drift.
        """
        before = read_written(service)
        later = before if before is not None and before.epoch == stamp.epoch else None
        paths = take(service, alone, by_hand(service, later) if later is not None else ()) if alone is not None else ()
        service.traffic = traffic.targets(weights, tagged, traffic.following(service))
        if later is None:
            text = written(service, weights, newest, stamp.epoch)
        else:
            changed = fields_of(alone, {}, "").model_dump(include={*PATHS}) if alone is not None else {}
            text = carried(later, weights, newest, changed)
        self._annotate(service, stamp, {**(more or {}), WRITTEN: text})
        return paths

    def _adopting(self, service: run_v2.Service) -> dict[str, str]:
        """What was before shipper, noted by its first write; a service whose stamp was lost keeps what it has noted."""
        adopted = self._found(service).adopted
        if not adopted or ADOPTED in service.annotations:
            return {ADOPTED: adopted}
        return {ADOPTED: adopted, ADOPTED_SERVICE: remembered(service)}

    def _whole_service(self, name: str, service: run_v2.Service) -> run_v2.Service | None:
        """What this release wants of the whole service, and what #0 had; None for others' revisions: then it stays."""
        found = retry_transient(lambda: self._api.revision(name))
        release = own_release(self._id, name, dict(found.annotations)) if found is not None else None
        if release is None:
            kept = service.annotations.get(ADOPTED_SERVICE) if name == service.annotations.get(ADOPTED) else None
            return recalled(kept) if kept else None
        own = self._own if release.place is None else own_settings(release)
        return render.whole_service(release, own) if own is not None else None

    def _annotate(self, service: run_v2.Service, stamp: Stamp, more: Mapping[str, str]) -> None:
        """Others' annotations stay. Where there was no stamp something was there before: that is noted for good."""
        before = {} if STAMP in service.annotations else {ADOPTED: ""}
        service.annotations = {**before, **service.annotations, STAMP: stamp_text(stamp), **more}

    def _put_back_to_nothing(self, service: run_v2.Service) -> None:
        if not never_verified(self._found(service)):
            raise Invalid(
                f"Cloud Run cannot take all traffic away from {self._id}: give it to another revision, or delete it"
            )
        self._delete(service)

    def _delete(self, service: run_v2.Service) -> None:
        try:
            self._api.delete(service.etag)
        except NotFound:
            return
        until_deleted(self._api)

    def _begun(self, name: str, release: Release, weight: int) -> Revision:
        return Revision(
            name=name,
            release=release.id,
            number=release.number,
            fingerprint=release.fingerprint,
            state="starting",
            image=release.main.config_digest,
            weight=weight,
        )


def _take_over(service: run_v2.Service, wanted: run_v2.Service) -> None:
    """What makes the revision, from the release; the rest of the service stays as it is."""
    service.template = wanted.template
    service.labels = {**service.labels, **wanted.labels}
    if wanted.launch_stage:
        service.launch_stage = wanted.launch_stage


def _is_dropped(target: run_v2.TrafficTarget, names: Collection[str]) -> bool:
    return bool(target.tag) and is_our_tag(target.tag) and not target.percent and short_name(target.revision) in names
