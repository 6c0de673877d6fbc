"""Reading a service's state: all that does not depend on each other at once, then what these have named."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from shipper.model import Settings
from shipper.targets import Denied, Invalid, NotFound
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.found import Found, is_route, selects
from shipper_targets.kubernetes.kinds import DEPLOYMENT, HPA, HTTP_ROUTE, REPLICA_SET, SERVICE, Kind
from shipper_targets.kubernetes.labels import WORKLOAD, is_ours, label_query, marks_of, without_marks
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered
from shipper_targets.kubernetes.names import Shape, base_of
from shipper_targets.kubernetes.observing import weights_of
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.pods import selector_of
from shipper_targets.kubernetes.records import Record, Records
from shipper_targets.kubernetes.rollouts import release_in, sets_of
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import Object, mapping, name_of, owner_uid

Objects = Sequence[dict[str, Any]]
_READ = {"Deployment", "Service"}
"""Kinds that are read anyway: of these, what is not among ours is not there."""

_MOST_UNFINISHED = 3
"""Records that are opened to tell an unfinished release from a person: each is a read."""


class Reading:
    """Of one service. `workload`: the name of the Deployment of own manifests, when these are here."""

    def __init__(
        self,
        api: Api,
        settings: Settings,
        own: KubernetesSettings,
        shape: Shape,
        workload: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.base = base_of(settings, own.name)
        self.query = label_query(marks_of(settings, self.base))
        self.records = Records(api, self.base, self.query)
        self._api = api
        self._own = own
        self._shape = shape
        self._workload = workload
        self._others: tuple[str, Mapping[Key, Object | None]] = ("", {})
        self._lock = threading.Lock()

    def now(self, *, drift: bool = False) -> Found:
        """What is there. With `drift` also everything else that was applied for what serves."""
        deployments, sets, services, service, (route, is_hidden), autoscalers, records = at_once(
            [
                partial(self._ours, DEPLOYMENT),
                partial(self._ours, REPLICA_SET),
                partial(self._ours, SERVICE),
                self._service,
                self._route,
                self._autoscalers,
                self.records.all,
            ]
        )
        found = Found(
            base=self.base,
            shape=self._shape,
            routes=self._own.gateway is not None,
            deployments=deployments,
            sets=sets,
            services=services,
            service=service,
            route=route,
            autoscalers=autoscalers,
            records=records,
            own_manifests=self._own.has_own_manifests,
        )
        self._refuse_hidden_route(found, is_hidden=is_hidden)
        found = self._with_foreign(self._with_unmarked(found))
        found = replace(found, sets=(*found.sets, *self._sets_of_own(found)))
        return self._with_applied(found) if drift else found

    def _ours(self, kind: Kind) -> Objects:
        """By our labels, and not by what a controller copied onto what it makes, as Knative's and Flagger's do."""
        every = self._api.list(kind, labels=self.query).items
        return every if kind == REPLICA_SET else [one for one in every if not owner_uid(one)]

    def _service(self) -> Object | None:
        there = self._api.find(SERVICE, self.base)
        return without_marks(there) if there is not None and owner_uid(there) else there

    def _route(self) -> tuple[dict[str, Any] | None, bool]:
        """That of the Gateway, or one of ours that is left from when there was one; and whether we may not look."""
        if self._own.has_own_manifests:
            return None, False
        if self._own.gateway is not None:
            return self._api.find(HTTP_ROUTE, self.base), False
        try:
            there = self._api.find(HTTP_ROUTE, self.base)
        except Denied:
            return None, True
        is_left = there is not None and is_ours(mapping(there, "metadata", "labels"), self.base)
        return (there if is_left else None), False

    def _refuse_hidden_route(self, found: Found, *, is_hidden: bool) -> None:
        """Raises Denied where a route of ours may lead to what served before, and may not be looked at."""
        newest = found.records[-1:] if is_hidden else ()
        whole = self.records.manifests(newest[0]) if newest else None
        if whole is not None and any(is_route(one, found) for one in whole.manifests):
            raise Denied(
                f"HTTPRoute {self.base} of release {newest[0].number} may still lead to it, and may not be read: "
                "the Role needs httproutes until it is gone"
            )

    def _autoscalers(self) -> Objects:
        """Of the whole namespace: an autoscaler may be somebody else's. None for whoever may not look at them."""
        try:
            return self._api.list(HPA).items
        except (NotFound, Denied):
            return ()

    def _with_unmarked(self, found: Found) -> Found:
        """With Deployments of ours that somebody took the labels from: the Services ask them all the same."""
        asking = [one for one in (found.service, *found.services) if WORKLOAD in mapping(one, "spec", "selector")]
        known = {"", *map(name_of, found.deployments)}
        names = sorted({found.selected(one) for one in asking if one is not None} - known)
        there = (self._api.find(DEPLOYMENT, name) for name in names)
        ours = [one for one in there if one is not None and release_in(one) and not owner_uid(one)]
        return replace(found, deployments=(*found.deployments, *ours)) if ours else found

    def _with_foreign(self, found: Found) -> Found:
        """The Deployments that serve and are not ours: asked for only where a Service, or our own absence, says so."""
        service = found.service
        adopted = found.adopted
        selectors = [dict(adopted[1])] if adopted is not None and adopted[1] else []
        selected = dict(mapping(service, "spec", "selector"))
        if selected and WORKLOAD not in selected and not any(selects(selected, one) for one in found.deployments):
            selectors.append(selected)
        if selectors:
            ours = {name_of(one) for one in found.deployments}
            every = [one for one in self._api.list(DEPLOYMENT).items if name_of(one) not in ours]
            return replace(
                found, foreign=tuple(one for one in every if any(selects(given, one) for given in selectors))
            )
        if self._shape == "rolling" and found.rolling is None and service is None:
            named = self._api.find(DEPLOYMENT, self._recorded(found) or self._workload() or self.base)
            return replace(found, foreign=(named,)) if named is not None else found
        return found

    def _recorded(self, found: Found) -> str:
        """The Deployment of own manifests as the newest record says it: nothing has to be rendered for that."""
        if not self._own.has_own_manifests or not found.records:
            return ""
        last = found.records[-1]
        return last.workload if last.workload != last.revision else ""

    def _sets_of_own(self, found: Found) -> Objects:
        """The ReplicaSets of own manifests: their pods have labels of the project's own."""
        rolling = found.rolling
        if rolling is None or not release_in(rolling) or sets_of(rolling, found.sets):
            return ()
        return self._api.list(REPLICA_SET, labels=selector_of(rolling)).items

    def _with_applied(self, found: Found) -> Found:
        """What was applied for what serves; its other objects are read again when something has been written."""
        weights = weights_of(found)
        main = max(weights, key=lambda name: weights[name], default="")
        deployment = found.workload(main)
        record = found.record(release_in(deployment)) if deployment is not None else None
        whole = self.records.manifests(record) if record is not None else None
        if whole is None or deployment is None:
            return found
        applied = tuple(one for one in whole.manifests if one.key != whole.workload)
        found = replace(found, applied=(*applied, whole.main), unfinished=self._unfinished(found, record))
        others = [one for one in applied if one.kind not in _READ and not is_route(one, found)]
        return replace(found, others=self._read_others(f"{found.seen} {main}", others))

    def _read_others(self, when: str, manifests: Sequence[Manifest]) -> Mapping[Key, Object | None]:
        with self._lock:
            if self._others[0] == when:
                return self._others[1]
        read = at_once([partial(self._known, one) for one in manifests])
        others = {one.key: there[0] for one, there in zip(manifests, read, strict=True) if there is not None}
        with self._lock:
            self._others = (when, others)
        return others

    def _known(self, manifest: Manifest) -> tuple[Object | None] | None:
        """None where nobody can say: the cluster serves its kind no more, or we may not look at it."""
        try:
            return (self.live(manifest),)
        except (Invalid, Denied):
            return None

    def _unfinished(self, found: Found, serving: Record | None) -> tuple[Rendered, ...]:
        """Of the newest records: what was begun after what serves, and never was verified."""
        newer = [one for one in found.records if serving is not None and one.number > serving.number]
        begun = [one for one in newer if one.number not in found.stamp.verified][-_MOST_UNFINISHED:]
        return tuple(whole for one in begun if (whole := self.records.manifests(one)) is not None)

    def live(self, manifest: Manifest) -> dict[str, Any] | None:
        """The object that a manifest is about, as it is now; None where it is not there."""
        kind = self._api.kind_of(manifest.api_version, manifest.kind)
        return self._api.find(kind, manifest.name, manifest.namespace or None)
