"""What both shapes write alike: the record, what pods need, and what is around them: how they are asked and scaled.

What is around them and is there already goes on as it is until the release that changes it has its place: an Ingress
with another host would take the old one from what serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from shipper.model import Release, Revision, Settings
from shipper.model.context import Cancellation, Reporter
from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.applying import apply
from shipper_targets.kubernetes.carriers import Fence, exchanged
from shipper_targets.kubernetes.drift import TRAFFIC, differences
from shipper_targets.kubernetes.found import ADOPTED, Found, is_route
from shipper_targets.kubernetes.kinds import SERVICE
from shipper_targets.kubernetes.labels import STAMP, labels_of, owner_of
from shipper_targets.kubernetes.making_room import expendable
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.manifests import Manifests, as_scaled, has_autoscaler
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.own_manifests import is_needed_first
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.records import NoRoom, Record
from shipper_targets.kubernetes.rollouts import number_in, release_in
from shipper_targets.kubernetes.services import moves_a_port
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.switching import as_routed, ports_there
from shipper_targets.kubernetes.taking_over import TAKEN, mind_owner
from shipper_targets.kubernetes.values import Object, at, mapping, text, uid_of

KEPT = (STAMP, ADOPTED, TRAFFIC, TAKEN)
"""Annotations of a carrier that no manifest has: left out of an apply they could be taken away."""

AROUND = (
    "Service",
    "Ingress",
    "HTTPRoute",
    "GRPCRoute",
    "NetworkPolicy",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
)
"""Kinds of what is around pods: what they are asked, reached and scaled by. They start without it."""


COUNTED_OFF = 10.0
"""Seconds in which a quota's controller takes notice of what was deleted."""

LOOK = 0.2
"""Seconds between two tries meanwhile."""


class Writing:
    """Of one service."""

    def __init__(
        self,
        api: Api,
        reading: Reading,
        fence: Fence,
        manifests: Manifests,
        settings: Settings,
        own: KubernetesSettings,
        report: Reporter | None = None,
        cancel: Cancellation | None = None,
    ) -> None:
        self.api = api
        self.reading = reading
        self.fence = fence
        self.manifests = manifests
        self.settings = settings
        self.own = own
        self.report = report
        self.cancel = cancel
        self.dropped: list[Record] = []
        """Records that made room in this run: what was applied for them alone is not needed any more."""

    def harmless(self, release: Release, whole: Rendered, found: Found) -> None:
        """The record, and everything that pods need or that nothing has asked yet."""
        labels = labels_of(self.settings, found.base)
        before = self.before(found)
        others = [one for one in whole.others if not is_carrier(one, found)]
        new = [one for one in others if before is None or before.find(one.key) is None or not is_around(one, found)]
        recorded = partial(self._recorded, release, whole, labels, found)
        self._in_waves(new, found, lambda one: partial(self._unasked, one, whole, found, before), recorded)

    def _recorded(self, release: Release, whole: Rendered, labels: Mapping[str, str], found: Found) -> None:
        """In the place of an old record that nothing needs, where the namespace's quota leaves no room beside it."""
        write = partial(self.reading.records.write, release, whole, labels)
        try:
            write()
        except NoRoom as full:
            old = expendable(found, release, self.settings.rollback.releases)
            if old is None:
                raise
            self.fence.refuse_overtaken(found)
            try:
                self._drop(old, release)
            except Denied:
                raise full from None
            self._when_there_is_room(write)

    def _drop(self, record: Record, release: Release) -> None:
        """Opened first, so that what was applied for it alone can go with it."""
        self.reading.records.manifests(record)
        self.reading.records.delete(record)
        self.dropped.append(record)
        if self.report is not None:
            self.report.remark(
                f"the namespace's quota of Secrets left no room for the record of release {release.number}: the oldest "
                f"that need not come back, of release {record.number}, was deleted (have the quota raised)"
            )

    def _when_there_is_room(self, write: Callable[[], None]) -> None:
        """Raises NoRoom where what was deleted is not counted off in time, or somebody else has taken its place."""
        until = time.monotonic() + COUNTED_OFF
        while True:
            try:
                write()
                return
            except NoRoom:
                if time.monotonic() >= until or (self.cancel is not None and self.cancel.cancelled):
                    raise
            time.sleep(LOOK)

    def _in_waves(
        self,
        manifests: Sequence[Manifest],
        found: Found,
        call: Callable[[Manifest], Callable[[], object]],
        *more: Callable[[], object],
    ) -> None:
        """What others need, and `more`; then the rest, unless this run was overtaken. Each at once, in any order."""
        first = [*more, *[call(one) for one in manifests if is_needed_first(one)]]
        rest = [call(one) for one in manifests if not is_needed_first(one)]
        at_once(first)
        if first and rest:
            self.fence.refuse_overtaken(found)
        at_once(rest)

    def _unasked(self, manifest: Manifest, whole: Rendered, found: Found, before: Rendered | None) -> None:
        if not is_around(manifest, found) or self.reading.live(manifest) is None:
            self.applied(manifest, before, autoscaled=has_autoscaler(manifest, whole, found))
        else:
            mind_owner(self.api, manifest, adopts=self.own.adopt, marks=False)

    def settle(
        self,
        found: Found,
        whole: Rendered,
        others: Sequence[Rendered | None],
        *,
        last: Rendered | None,
        every: bool = False,
    ) -> Found:
        """What is around the pods of the release that has its place is as it was for this one; what is so already is
        not written. `others`: what it may have been for instead, None where nobody knows. `last`: what was applied
        last, whose fields are ours to change. `every`: what pods need, too.
        """
        counts = self.manifests.around_autoscalers(whole, found).others if every else whole.others
        around = [one for one in counts if not is_carrier(one, found) and (every or is_around(one, found))]
        self._in_waves(
            around, found, lambda one: partial(self._settled, one, whole, found, last, differs_from_any(one, others))
        )
        for manifest in (one for one in whole.others if is_carrier(one, found)):
            live = found.service if manifest.kind == "Service" else found.route
            wanted = self.as_asked(found, manifest)
            if wanted is not None and (live is None or differs_from_any(manifest, others) or _differs(wanted, live)):
                found = self.carrier_applied(found, live, wanted, before=last)
        return found

    def as_asked(self, found: Found, manifest: Manifest) -> Manifest | None:
        """A carrier's manifest that goes on asking whom the carrier asks; None where that is not there."""
        live = found.service if manifest.kind == "Service" else found.route
        if self.own.has_own_manifests:
            was_there = live is not None and owner_of(mapping(live, "metadata", "labels")) is None
            return carried(manifest, live, {TAKEN: "true"} if was_there else None)
        if live is None:
            return None
        if manifest.kind == "Service":
            return carried(as_selected(manifest, live, found), live)
        weights = found.backends() or {found.base: 100}
        return carried(as_routed(manifest, weights, self.own.service_port, ports_there(found)), live)

    def _settled(
        self, manifest: Manifest, whole: Rendered, found: Found, last: Rendered | None, is_other: bool
    ) -> None:
        live = self.reading.live(manifest)
        if live is not None and not is_other and not _differs(manifest, live):
            return
        is_ours = live is not None and owner_of(mapping(live, "metadata", "labels")) is not None
        autoscaled = has_autoscaler(manifest, whole, found)
        self.applied(manifest, last if is_ours else None, autoscaled=autoscaled)

    def applied(self, manifest: Manifest, before: Rendered | None, *, autoscaled: bool = False) -> dict[str, Any]:
        """One object, unconditionally: it is no carrier of the stamp."""
        last = before.find(manifest.key) if before is not None else None
        force, adopts = self.own.force_conflicts, self.own.adopt
        return apply(self.api, manifest, force=force, adopts=adopts, before=last, autoscaled=autoscaled)

    def carrier_applied(
        self,
        found: Found,
        live: Object | None,
        manifest: Manifest,
        *,
        whole: Rendered | None = None,
        before: Rendered | None = None,
        force: bool = False,
    ) -> Found:
        """One object that decides traffic, on condition that it is as it was read, or is not there; what is there then.
        `whole`: what it is part of; `before`: what was applied last, where that is not what the object itself says.
        """
        if live is None:
            return exchanged(found, None, self.fence.created(manifest.body))
        before = before or self.before(found)
        last = before.find(manifest.key) if before is not None else None
        force, adopts, uid = force or self.own.force_conflicts, self.own.adopt, uid_of(live)
        if moves_a_port(manifest.body, live):
            live = self.fence.conditional(live, partial(self._port_moved, manifest))
        read, autoscaled = live, has_autoscaler(manifest, whole, found)

        def write(version: str) -> dict[str, Any]:
            wanted = self._as_scaled(manifest, read, version) if autoscaled else manifest
            return apply(
                self.api,
                wanted,
                force=force,
                adopts=adopts,
                before=last,
                version=version,
                uid=uid,
                autoscaled=autoscaled,
            )

        return exchanged(found, live, self.fence.conditional(live, write))

    def _as_scaled(self, manifest: Manifest, live: Object, version: str) -> Manifest:
        """By the object of this version: whether the count is ours may be another matter when it was changed since."""
        if version == text(live, "metadata", "resourceVersion"):
            return as_scaled(manifest, live)
        return as_scaled(manifest, self.reading.live(manifest) or live)

    def _port_moved(self, manifest: Manifest, version: str) -> dict[str, Any]:
        """Ahead of an apply, which tells ports apart by their numbers, and would leave two of one name where somebody
        else has set the one that is there, or we have, in this way.
        """
        patch = {"metadata": {"resourceVersion": version}, "spec": {"ports": at(manifest.body, "spec", "ports")}}
        return {**self.api.merge(SERVICE, manifest.name, patch), "kind": "Service"}

    def before(self, found: Found) -> Rendered | None:
        """What was applied last: for the Deployment that is replaced, else for the newest that is there."""
        newest = sorted((one for one in found.deployments if release_in(one)), key=number_in)[-1:]
        carried = [found.rolling] if found.rolling is not None else newest
        record = next((record for one in carried if (record := found.record(release_in(one)))), None)
        return self.manifests.applied(record)

    def revision(self, release: Release, found: Found) -> Revision:
        """As it has just been begun."""
        return Revision(
            name=revision_name(found.base, release),
            release=release.id,
            number=release.number,
            fingerprint=release.fingerprint,
            state="starting",
            image=release.main.config_digest,
            created=release.created,
        )


def is_carrier(manifest: Manifest, found: Found) -> bool:
    """Whether an object decides who is asked: the Service of this name, and the HTTPRoute."""
    return is_route(manifest, found) or (manifest.kind == "Service" and manifest.name == found.base)


def is_around(manifest: Manifest, found: Found) -> bool:
    """Whether pods start without it. What is named after one release is asked for by nothing else."""
    return manifest.kind in AROUND and (found.shape == "rolling" or manifest.name == found.base)


def differs_from_any(manifest: Manifest, others: Sequence[Rendered | None]) -> bool:
    """Whether a release of `others` has this object as another one, or may have (None); whom it asks aside."""
    there = [one.find(manifest.key) if one is not None else None for one in others]
    return None in others or any(_plain(one) != _plain(manifest) for one in there if one is not None)


def _plain(manifest: Manifest) -> Manifest:
    """Without whom it asks: that is said anew with each write."""
    if manifest.kind not in ("Service", "HTTPRoute"):
        return manifest
    body = manifest.copied()
    body["spec"].pop("selector", None)
    for rule in body["spec"].get("rules") or ():
        rule.pop("backendRefs", None)
    return Manifest(body)


def _differs(manifest: Manifest, live: Object) -> bool:
    return next(differences(manifest.body, live), None) is not None


def carried(manifest: Manifest, live: Object | None, more: Mapping[str, str] | None = None) -> Manifest:
    """With the annotations of ours that the object has, and `more`."""
    kept = {key: value for key in KEPT if (value := text(live, "metadata", "annotations", key))}
    return manifest.marked(annotations={**kept, **(more or {})})


def as_selected(manifest: Manifest, live: Object, found: Found) -> Manifest:
    """A Service that goes on giving its traffic to whom it does, at the ports that these have."""
    body = manifest.copied()
    body["spec"]["selector"] = dict(mapping(live, "spec", "selector"))
    if found.asks_adopted and found.adopted_ports:
        body["spec"]["ports"] = found.adopted_ports
        body["spec"]["type"] = text(live, "spec", "type") or "ClusterIP"
    return Manifest(body)


def going_on(manifest: Manifest, live: Object | None) -> Manifest:
    """A Deployment that somebody has paused would never roll out what it is given."""
    if at(live, "spec", "paused") is not True:
        return manifest
    body = manifest.copied()
    body["spec"]["paused"] = False
    return Manifest(body)
