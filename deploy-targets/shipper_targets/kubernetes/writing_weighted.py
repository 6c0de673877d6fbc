"""Writes where each release has a Deployment of its own: making one moves no traffic, a shift is the last write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipper.model import Release, Revision, Stamp
from shipper.targets import Invalid
from shipper_targets.kubernetes.drift import REPLICAS
from shipper_targets.kubernetes.exposing import route_of
from shipper_targets.kubernetes.found import Found, is_route
from shipper_targets.kubernetes.kinds import DEPLOYMENT
from shipper_targets.kubernetes.labels import STAMP, WORKLOAD, labels_of
from shipper_targets.kubernetes.manifest import Manifest, Rendered, identified
from shipper_targets.kubernetes.manifests import as_scaled, coming_count, has_autoscaler
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.observing import capacity, weights_of
from shipper_targets.kubernetes.rollouts import release_in, state_of, wanted_pods
from shipper_targets.kubernetes.services import revision_service, selecting
from shipper_targets.kubernetes.stamps import stamp_text
from shipper_targets.kubernetes.switching import adopted_note, as_routed, ports_there, rerouted, select, until_accepted
from shipper_targets.kubernetes.values import Object, name_of, number, text
from shipper_targets.kubernetes.writing import Writing, as_selected, carried, going_on, is_carrier

WHOLE = 100


class WeightedWriting(Writing):
    """Creates and shifts."""

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """See the adapter."""
        found = self.fence.enter(stamp, seen, create=True)
        name = revision_name(found.base, release)
        there = found.workload(name) or found.deployment(name)
        if there is not None and release_in(there) != release.id:
            raise Invalid(f"Deployment {name} is there, and it is not release {release.number}")
        whole = self.manifests.of(release, found)
        count = coming_count(whole, self._no_fewer_than(found, whole, release))
        if there is not None and name_of(there) != name:
            # The one Deployment of the other shape has this release: it is started where it is.
            self._start(there, count)
            return self.revision(release, found)
        self.harmless(release, whole, found)
        found = self._asked(found, whole)
        made = self._made(found, there, whole, release)
        self._start(made, count)
        return self.revision(release, found)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """See the adapter."""
        found = self.fence.expected(stamp, seen)
        self.fence.refuse_foreign(found)
        workloads = self._workloads(found, weights)
        main = max(workloads, key=lambda name: workloads[name], default="")
        splitting = self._route_manifest(found, weights)
        if splitting is not None:
            found = self._split(found, splitting, weights, stamp)
        elif len(workloads) > 1:
            raise Invalid("two revisions share traffic only behind a Gateway: set gateway in the target's settings")
        else:
            found = rerouted(self.api, self.fence, found)
        route = found.route if splitting is not None else None
        if found.service is None or found.selected(found.service) != main or route is None:
            found = select(self.api, self.fence, found, main, stamp)
        self._around(found, main)
        if route is not None and weights and not (self.cancel is not None and self.cancel.cancelled):
            told = until_accepted(self.api, route, self.cancel)
            if told and self.report is not None:
                self.report.remark(told)

    # A revision.

    def _made(self, found: Found, live: Object | None, whole: Rendered, release: Release) -> dict[str, Any]:
        manifest = identified(whole.main, release)
        if live is not None:
            # Its number of pods is what it was started, stopped or scaled with.
            manifest = going_on(as_scaled(manifest, live), live)
        autoscaled = has_autoscaler(manifest, whole, found)
        return self.applied(manifest, whole if live is not None else None, autoscaled=autoscaled)

    def _asked(self, found: Found, whole: Rendered) -> Found:
        """A Service that asks nobody is as it is to be; one that was there before us is noted, and goes on asking whom
        it asks. One that has traffic changes with a shift, as the route does.
        """
        for manifest in whole.of_kind("Service"):
            live, note = found.service, adopted_note(found)
            if is_carrier(manifest, found) and live is not None and (note or not found.selected(live)):
                found = self.carrier_applied(found, live, carried(as_selected(manifest, live, found), live, note))
        return found

    def _around(self, found: Found, main: str) -> None:
        """As for the revision that has most of the traffic now; what was there before us has no record."""
        deployment = found.deployment(main)
        whole = self.manifests.applied(found.record(release_in(deployment))) if deployment is not None else None
        if whole is not None:
            beside = [found.record(release_in(one)) for one in found.deployments if release_in(one)]
            others = [self.manifests.applied(one) for one in beside if one is not None]
            self.settle(found, whole, others, last=whole)

    def _no_fewer_than(self, found: Found, whole: Rendered, release: Release) -> int:
        """As many pods as what serves has, where an autoscaler has made them or a release comes back: a shift must not
        take capacity away. A new release with a fixed number has just that.
        """
        comes_back = release.rollback_to is not None or found.record(release.id) is not None
        return _serving_pods(found) if comes_back or whole.of_kind("HorizontalPodAutoscaler") else 0

    def _start(self, deployment: Object, count: int) -> None:
        """With this number of pods. One that runs already keeps its own."""
        now = wanted_pods(deployment)
        if now >= count or (now and text(deployment, "metadata", "annotations", REPLICAS)):
            return
        scale(self, deployment, count)

    # Traffic.

    def _workloads(self, found: Found, weights: Mapping[str, int]) -> dict[str, int]:
        """Deployment's name to weight. Raises Invalid for what is not there, or does not run."""
        if weights and sum(weights.values()) != WHOLE:
            raise Invalid(f"weights sum to {sum(weights.values())}")
        wanted: dict[str, int] = {}
        for revision, weight in weights.items():
            if not weight:
                continue
            deployment = found.workload(revision)
            adopted = found.adopted
            if deployment is None and not (adopted is not None and revision == adopted[0]):
                raise Invalid(f"there is no revision {revision} here that could take traffic")
            if deployment is not None and not _can_serve(deployment):
                raise Invalid(f"{revision} is {state_of(deployment)}, and cannot take traffic")
            name = name_of(deployment) if deployment is not None else revision
            wanted[name] = wanted.get(name, 0) + weight
        return wanted

    def _split(self, found: Found, manifest: Manifest, weights: Mapping[str, int], stamp: Stamp) -> Found:
        """The route: each revision's Service with its share, and the stamp, in one write."""
        services = {name: self._backend(found, name) for name, weight in weights.items() if weight}
        backends = {name_of(service): weights[name] for name, service in services.items()}
        ports = ports_there(found, *services.values())
        wanted = as_routed(manifest, backends, self.own.service_port, ports)
        notes = {**wanted.metadata["annotations"], STAMP: stamp_text(stamp, found.carriers)}
        return self.carrier_applied(found, found.route, carried(wanted, found.route, notes))

    def _route_manifest(self, found: Found, weights: Mapping[str, int]) -> Manifest | None:
        """As the release with the most traffic was applied with; of what has none recorded, as it is rendered now; None
        without a Gateway.
        """
        main = max(weights, key=lambda name: weights[name], default="")
        deployment = found.workload(main)
        record = found.record(release_in(deployment)) if deployment is not None else None
        whole = self.manifests.applied(record)
        for manifest in whole.of_kind("HTTPRoute") if whole is not None else ():
            if is_route(manifest, found):
                return manifest
        labels = {**self.own.labels, **labels_of(self.settings, found.base)}
        return route_of(self.own, found.base, labels, {})

    def _backend(self, found: Found, revision: str) -> Object:
        """The Service of a revision, made where it has none: the one Deployment of the other shape, and #0."""
        there = next((one for one in found.services if name_of(one) == revision), None)
        if there is not None:
            return there
        deployment = found.workload(revision)
        labels = {**self.own.labels, **labels_of(self.settings, found.base)}
        name = revision if deployment is None or release_in(deployment) else f"{found.base}-0"
        workload = name_of(deployment) if deployment is not None else revision
        service = revision_service(self.own, found.base, {**labels, WORKLOAD: workload}, name)
        service = selecting(service, found.base, workload)
        adopted = found.adopted
        if adopted is not None and revision == adopted[0]:
            body = service.copied()
            body["spec"]["selector"] = dict(adopted[1])
            body["spec"]["ports"] = found.adopted_ports
            service = Manifest(body)
        return self.applied(service, None)


def scale(writing: Writing, deployment: Object, count: int) -> None:
    """Ask for a number of pods, and note that it was us."""
    metadata = {"uid": text(deployment, "metadata", "uid"), "annotations": {REPLICAS: str(count)}}
    writing.api.merge(DEPLOYMENT, name_of(deployment), {"metadata": metadata, "spec": {"replicas": count}})


def _serving_pods(found: Found) -> int:
    weights = weights_of(found)
    return max((capacity(found, name) or 0 for name in weights), default=0)


def _can_serve(deployment: Object) -> bool:
    return wanted_pods(deployment) > 0 and number(deployment, "status", "availableReplicas") > 0
