"""Writes of the one Deployment that is replaced: its write moves the traffic, and is the last one."""

from __future__ import annotations

from functools import partial

from shipper.model import Release, Revision, Stamp
from shipper.targets import Invalid, NotFound
from shipper_targets.kubernetes.adopting import keep_snapshot, put_back, snapshot
from shipper_targets.kubernetes.carriers import exchanged
from shipper_targets.kubernetes.exposing import backends
from shipper_targets.kubernetes.found import PENDING, Found
from shipper_targets.kubernetes.kinds import DEPLOYMENT, HTTP_ROUTE
from shipper_targets.kubernetes.labels import STAMP, labels_of
from shipper_targets.kubernetes.manifest import Manifest, Rendered, identified
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.observing import in_flight, waits_for
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.rollouts import release_in, sets_of, state_of
from shipper_targets.kubernetes.services import selecting
from shipper_targets.kubernetes.stamps import carries_stamp, stamp_text, stamped_at
from shipper_targets.kubernetes.switching import adopted_note, as_routed, select, traffic_note
from shipper_targets.kubernetes.values import Object, name_of, number, objects, text, uid_of
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
        there = self._there(found, whole)
        if there is not None and not release_in(there):
            keep_snapshot(self.api, found.base, there, labels_of(self.settings, found.base))
        self.harmless(release, whole, found)
        found, waits = self._asked(found, whole)
        self._deploy(found, there, whole, release, stamp, waits)
        return self.revision(release, found)

    def finish(self, revision: Revision, stamp: Stamp, seen: str) -> None:
        """The Service's selector, and the route's backends; nothing where these ask for it already."""
        found = self.fence.expected(stamp, seen)
        rolling = found.rolling
        if rolling is None or release_in(rolling) != revision.release or not self._unfinished(found, rolling):
            return
        self._switch(found, name_of(rolling), stamp)

    def abort(self, in_flight_now: str, stamp: Stamp, seen: str) -> None:
        """See the adapter. The first write puts back what served; what it was applied with follows."""
        found = self.fence.expected(stamp, seen)
        rolling = found.rolling
        if rolling is None or in_flight(found) != in_flight_now:
            raise NotFound(f"no {in_flight_now} is under way")
        record = self._served_before(found, rolling)
        if record is not None and (whole := self.manifests.applied(record)) is not None:
            failed = self.manifests.applied(found.record(release_in(rolling)))
            found = self._put_back(found, rolling, record, whole, stamp)
            self._mend(whole, failed, found)
        elif (kept := snapshot(self.api, found.base)) is not None and kept["name"] == name_of(rolling):
            self.fence.conditional(rolling, lambda version: put_back(self.api, kept, rolling, version))
        else:
            self._take_away(found, rolling, stamp)

    # Where the traffic goes.

    def _living(self, found: Found, release: Release) -> Object | None:
        """The Deployment of its own that this very release has and that still runs: of the other shape."""
        one = found.deployment(revision_name(found.base, release))
        runs = one is not None and release_in(one) == release.id and state_of(one, found.sets) == "running"
        return one if runs else None

    def _asked(self, found: Found, whole: Rendered) -> tuple[Found, str]:
        """Service and route as they are to be from now on, but asking whom they ask: what takes its traffic over only
        when it is ready is named. A Service that asks nobody asks the one Deployment from now on.
        """
        waits = ""
        for manifest in (one for one in whole.others if is_carrier(one, found)):
            if manifest.kind == "Service":
                found, waits = self._service(found, manifest, whole.workload.name)
            else:
                found = self._route(found, manifest)
        return found, waits

    def _service(self, found: Found, manifest: Manifest, workload: str) -> tuple[Found, str]:
        if self.own.has_own_manifests:
            live = found.service
            return self.carrier_applied(found, live, carried(manifest, live)), ""
        live = found.service
        asked = found.selected(live) if live is not None else ""
        if live is None or asked in ("", workload):
            wanted = carried(selecting(manifest, found.base, workload), live, traffic_note({workload: WHOLE}))
            return self.carrier_applied(found, live, wanted), ""
        wanted = carried(as_selected(manifest, live, found), live, adopted_note(found))
        return self.carrier_applied(found, live, wanted), asked

    def _route(self, found: Found, manifest: Manifest) -> Found:
        live = found.route
        asked = found.backends() if live is not None else None
        weights = {found.base: WHOLE} if not asked or self.own.has_own_manifests else asked
        if self.own.has_own_manifests:
            return self.carrier_applied(found, live, carried(manifest, live))
        wanted = as_routed(manifest, weights, self.own.service_port)
        return self.carrier_applied(found, live, carried(wanted, live))

    def _unfinished(self, found: Found, rolling: Object) -> bool:
        if self.own.has_own_manifests:
            return False
        selected = found.selected(found.service) if found.service is not None else ""
        return selected != name_of(rolling) or found.backends() not in (None, {found.base: WHOLE})

    def _switch(self, found: Found, workload: str, stamp: Stamp) -> Found:
        """Service first: the route's backend is the Service."""
        if found.service is None or found.selected(found.service) != workload:
            found = select(self.api, self.fence, found, workload, stamp)
        route = found.route
        if route is None or found.backends() in (None, {found.base: WHOLE}):
            return found
        body = {"spec": {"rules": _with_backend(route, found.base, self.own.service_port)}}
        notes = {"annotations": traffic_note({found.base: WHOLE})}

        def write(version: str) -> dict[str, object]:
            return self.api.merge(HTTP_ROUTE, found.base, {"metadata": {"resourceVersion": version, **notes}, **body})

        return exchanged(found, route, self.fence.conditional(route, write))

    # The Deployment.

    def _there(self, found: Found, whole: Rendered) -> Object | None:
        """The Deployment that is replaced. Raises Invalid where it is somebody's who was not asked."""
        name = whole.workload.name
        live = found.deployment(name) or next((one for one in found.foreign if name_of(one) == name), None)
        if live is None:
            live = self.api.find(DEPLOYMENT, name)
        if live is not None and not release_in(live) and not self.own.adopt and not carries_stamp(live):
            raise Invalid(f"Deployment {name} is there, and shipper did not make it: adopt = true takes it over")
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
        return self.carrier_applied(found, live, going_on(manifest, live))

    # Putting back.

    def _served_before(self, found: Found, rolling: Object) -> Record | None:
        """The release whose pods can still answer, else the one that was verified last; None where there was none, or
        where it is not this Deployment that serves.
        """
        if waits_for(found) is not None:
            return None
        current = release_in(rolling)
        sets = sorted(sets_of(rolling, found.sets), key=lambda one: -number(one, "status", "availableReplicas"))
        for one in sets:
            record = found.record(release_in(one))
            if record is not None and record.release != current and number(one, "status", "availableReplicas"):
                return record
        for verified in reversed(found.stamp.verified):
            for record in reversed(found.records):
                if record.number == verified and record.release != current and record.workload == name_of(rolling):
                    return record
        return None

    def _put_back(self, found: Found, rolling: Object, record: Record, whole: Rendered, stamp: Stamp) -> Found:
        """By force: nobody's change to what failed is worth a second write."""
        release = self.reading.records.release(record)
        counted, value = self.manifests.counted(whole, found), stamp_text(stamp, found.carriers)
        if release is None:
            raise Invalid(f"the record of #{record.number} cannot be read: a newer shipper wrote it")
        return self.carrier_applied(found, rolling, going_on(identified(counted, release, value), rolling), force=True)

    def _mend(self, whole: Rendered, failed: Rendered | None, found: Found) -> None:
        """What the failed release had changed besides is as it was; nothing is written where it had changed nothing."""
        others = [one for one in whole.others if failed is None or failed.find(one.key) != one]
        at_once([partial(self.applied, one, failed) for one in others if not is_carrier(one, found)])
        for manifest in (one for one in others if is_carrier(one, found)):
            if manifest.kind == "Service":
                found, _ = self._service(found, manifest, whole.workload.name)
            else:
                found = self._route(found, manifest)

    def _take_away(self, found: Found, rolling: Object, stamp: Stamp) -> None:
        """Nothing of this Deployment had served: it goes, and the Service keeps the stamp."""
        service = found.service
        if service is not None:
            found = self.fence.marked(found, stamp, service)
        self.api.delete(DEPLOYMENT, name_of(rolling), uid=uid_of(rolling))


def _with_backend(route: Object, name: str, port: int) -> list[object]:
    return [{**rule, "backendRefs": backends({name: WHOLE}, port)} for rule in objects(route, "spec", "rules")]
