"""Writes of the one Deployment that is replaced: its write moves the traffic, and is the last one."""

from __future__ import annotations

from shipper.model import Release, Revision, Stamp
from shipper.targets import Invalid, NotFound
from shipper_targets.kubernetes.adopting import is_of, keep_snapshot, put_back, snapshot
from shipper_targets.kubernetes.found import PENDING, Found
from shipper_targets.kubernetes.kinds import DEPLOYMENT
from shipper_targets.kubernetes.labels import STAMP, labels_of, owner_of, selector
from shipper_targets.kubernetes.manifest import Manifest, Rendered, identified
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.observing import in_flight
from shipper_targets.kubernetes.putting_back import PUT_BACK, undone, way_back
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.rollouts import release_in, state_of
from shipper_targets.kubernetes.services import selecting
from shipper_targets.kubernetes.stamps import carries_stamp, stamp_text, stamped_at
from shipper_targets.kubernetes.switching import adopted_note, as_routed, ports_there, rerouted, select, traffic_note
from shipper_targets.kubernetes.taking_over import ADOPT
from shipper_targets.kubernetes.values import Object, mapping, name_of, text, uid_of
from shipper_targets.kubernetes.writing import Writing, as_selected, carried, going_on, is_carrier

WHOLE = 100


class RollingWriting(Writing):
    """Replaces, aborts and finishes."""

    def replace(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """See the adapter."""
        found = self.fence.enter(stamp, seen, create=True)
        living = self._living(found, release)
        if living is not None:
            self._switch(found, name_of(living), stamp)
            return self.revision(release, found).model_copy(update={"state": "running"})
        whole = self.manifests.of(release, found)
        refuse_other_name(found, whole)
        there = self._there(found, whole)
        if there is not None and not release_in(there):
            keep_snapshot(
                self.api,
                found.base,
                there,
                labels_of(self.settings, found.base),
                anew=not carries_stamp(there),
            )
        before = self.before(found)
        self.harmless(release, whole, found)
        found, waits = self._asked(found, whole)
        found = self._deploy(found, there, whole, release, stamp, waits)
        if not waits:  # else what is around belongs to what still serves, until `finish`
            self.settle(found, whole, [before] if before is not None else (), last=before)
        return self.revision(release, found)

    def finish(self, revision: Revision, stamp: Stamp, seen: str) -> None:
        """The Service's selector, and the route's backends; then what is around, where that waited or a run was killed
        before it. Nothing where these are so already.
        """
        found = self.fence.expected(stamp, seen)
        rolling = found.rolling
        if rolling is None or release_in(rolling) != revision.release:
            return
        if self._unfinished(found, rolling):
            found = self._switch(found, name_of(rolling), stamp)
        whole = self.manifests.applied(found.record(release_in(rolling)))
        if whole is not None:
            beside = [self.manifests.applied(found.record(release_in(one))) for one in found.deployments]
            self.settle(found, whole, [one for one in beside if one is not None], last=whole)

    def abort(self, in_flight_now: str, stamp: Stamp, seen: str) -> None:
        """See the adapter. The first write puts back what served; what it was applied with follows. Done again, it is
        the same.
        """
        found = self.fence.expected(stamp, seen)
        rolling = found.rolling
        if rolling is None or in_flight(found) != in_flight_now:
            raise NotFound(f"no {in_flight_now} is under way")
        back = way_back(found, rolling, self._readable)
        kept = snapshot(self.api, found.base) if not isinstance(back, Record) else None
        if isinstance(back, Record):
            self._put_back(found, rolling, back, stamp)
        elif kept is not None and is_of(kept, rolling) and (back is None or not release_in(back)):
            self.fence.conditional(rolling, lambda version: put_back(self.api, kept, rolling, version))
        elif back is not None:
            manifest = undone(rolling, back, stamp_text(stamp, found.carriers))
            self.carrier_applied(found, rolling, going_on(manifest, rolling), force=True)
        else:
            self._take_away(found, rolling, stamp)

    # Where the traffic goes.

    def _living(self, found: Found, release: Release) -> Object | None:
        """The Deployment of its own that this very release has and that still runs: of the other shape."""
        one = found.deployment(revision_name(found.base, release))
        runs = one is not None and release_in(one) == release.id and state_of(one, found.sets) == "running"
        return one if runs else None

    def _asked(self, found: Found, whole: Rendered) -> tuple[Found, str]:
        """Before the Deployment: what asks nobody asks the one Deployment from now on, what was there before us is
        noted, and what takes its traffic over only when it is ready is named. What has traffic changes after it.
        """
        waits = ""
        for manifest in (one for one in whole.others if is_carrier(one, found) and not self.own.has_own_manifests):
            if manifest.kind == "Service":
                found, waits = self._service(found, manifest, whole.workload.name)
            elif found.route is None or not found.backends():
                wanted = as_routed(manifest, {found.base: WHOLE}, self.own.service_port, ports_there(found))
                found = self.carrier_applied(
                    found, found.route, carried(wanted, found.route, traffic_note({found.base: WHOLE}))
                )
        return found, waits

    def _service(self, found: Found, manifest: Manifest, workload: str) -> tuple[Found, str]:
        live = found.service
        asked = found.selected(live) if live is not None else ""
        by_another = asked == workload and mapping(live, "spec", "selector") != selector(found.base, workload)
        if live is None or not asked or by_another:
            wanted = carried(selecting(manifest, found.base, workload), live, traffic_note({workload: WHOLE}))
            return self.carrier_applied(found, live, wanted), ""
        if note := adopted_note(found):
            found = self.carrier_applied(found, live, carried(as_selected(manifest, live, found), live, note))
        return found, "" if asked == workload else asked

    def _unfinished(self, found: Found, rolling: Object) -> bool:
        if self.own.has_own_manifests:
            return False
        selected = found.selected(found.service) if found.service is not None else ""
        return selected != name_of(rolling) or found.backends() not in (None, {found.base: WHOLE})

    def _switch(self, found: Found, workload: str, stamp: Stamp) -> Found:
        """Service first: the route's backend is the Service. A route that is left from a Gateway of before leads to it
        ahead of that, so that its users move in the same write.
        """
        if not found.routes:
            found = rerouted(self.api, self.fence, found)
        if found.service is None or found.selected(found.service) != workload:
            found = select(self.api, self.fence, found, workload, stamp)
        return rerouted(self.api, self.fence, found)

    # The Deployment.

    def _there(self, found: Found, whole: Rendered) -> Object | None:
        """The Deployment that is replaced. Raises Invalid where it is somebody's who was not asked."""
        name = whole.workload.name
        live = found.deployment(name) or next((one for one in found.foreign if name_of(one) == name), None)
        if live is None:
            live = self.api.find(DEPLOYMENT, name)
        wanted = (self.settings.service.service, self.settings.service.environment)
        owner = owner_of(mapping(live, "metadata", "labels"))
        if owner is not None and owner != wanted:
            raise Invalid(f"Deployment {name} is that of {' in '.join(owner)}: it cannot be two services'")
        if live is not None and not release_in(live) and not self.own.adopt and not carries_stamp(live):
            raise Invalid(f"Deployment {name} is there, and shipper did not make it: {ADOPT}")
        return live

    def _deploy(
        self, found: Found, live: Object | None, whole: Rendered, release: Release, stamp: Stamp, waits: str
    ) -> Found:
        """The write that moves traffic. The stamp is what the first write left there, so that nothing conflicts."""
        carrier = found.carrier
        value = text(live, "metadata", "annotations", STAMP) if carrier is live and live else ""
        manifest = identified(whole.main, release, value or stamp_text(stamp, found.carriers))
        if waits:
            epoch, count = stamped_at(manifest.body)
            manifest = manifest.marked(annotations={PENDING: f"{waits}@{epoch}.{count}"})
        return self.carrier_applied(found, live, going_on(manifest, live), whole=whole)

    # Putting back.

    def _readable(self, record: Record) -> bool:
        return self.manifests.applied(record) is not None and self.reading.records.release(record) is not None

    def _put_back(self, found: Found, rolling: Object, record: Record, stamp: Stamp) -> None:
        """By force: nobody's change to what failed is worth a second write."""
        whole, release = self.manifests.applied(record), self.reading.records.release(record)
        if whole is None or release is None:
            raise Invalid(f"the record of #{record.number} cannot be read: a newer shipper wrote it")
        failed = self.manifests.applied(found.record(release_in(rolling)))
        counted, value = self.manifests.counted(whole, found), stamp_text(stamp, found.carriers)
        manifest = identified(counted, release, value).marked(annotations={PUT_BACK: release.id})
        found = self.carrier_applied(found, rolling, going_on(manifest, rolling), whole=whole, force=True)
        self.settle(found, whole, [failed], last=whole, every=True)

    def _take_away(self, found: Found, rolling: Object, stamp: Stamp) -> None:
        """Nothing of this Deployment had served: it goes, and the Service keeps the stamp."""
        service = found.service
        if service is not None:
            found = self.fence.marked(found, stamp, service)
        self.api.delete(DEPLOYMENT, name_of(rolling), uid=uid_of(rolling))


def refuse_other_name(found: Found, whole: Rendered) -> None:
    """Raises Invalid where another Deployment is the one that is replaced: the two would run beside each other, and
    nobody could say which of them serves.
    """
    rolling, name = found.rolling, whole.workload.name
    if rolling is not None and release_in(rolling) and name_of(rolling) != name:
        raise Invalid(
            f"Deployment {name_of(rolling)} serves, and this release is Deployment {name}: keep its name, "
            "or release it under a name of its own (name = … in the target's settings)"
        )
