"""Everything of a service goes; what was there before shipper has its traffic again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from shipper.model import Stamp
from shipper.targets import Conflict, Denied, HalfDone, Invalid, NotFound
from shipper_targets.kubernetes.adopting import is_of, put_back, snapshot, snapshot_name
from shipper_targets.kubernetes.found import ADOPTED, Found
from shipper_targets.kubernetes.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    HPA,
    HTTP_ROUTE,
    INGRESS,
    JOB,
    PDB,
    POD,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Kind,
)
from shipper_targets.kubernetes.labels import (
    INSTANCE,
    MANAGED_BY,
    MANAGER,
    NAME,
    STAMP,
    is_ours,
    label_query,
    marks_of,
    owner_of,
)
from shipper_targets.kubernetes.managed import refuse_managed
from shipper_targets.kubernetes.manifest import Key, Manifest
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.prune import NEVER, may_go
from shipper_targets.kubernetes.rollouts import release_in
from shipper_targets.kubernetes.taking_over import as_it_was, is_taken
from shipper_targets.kubernetes.values import (
    Object,
    at,
    leaving,
    managers_of,
    mapping,
    name_of,
    owner_uid,
    text,
    uid_of,
)
from shipper_targets.kubernetes.writing import Writing

LOOK = 0.2
LET_GO_WITHIN = 10.0
"""Seconds in which whoever has a finalizer on a workload has to take it away."""

_WORKLOADS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, CRON_JOB)

LEAST_PATIENCE = 15.0
"""Seconds, besides `[run] stop_grace`, in which pods have to be gone."""


class Removing:
    """Of one service."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._api = writing.api
        self._kept: Mapping[str, Any] | None = None
        self._gone = False
        """Whether something is deleted already."""
        self._held: list[tuple[Kind, Object, str | None]] = []
        """Workloads that go when somebody takes a finalizer away: their pods run until then."""

    def remove(self, stamp: Stamp, seen: str) -> None:
        """What runs first, then what it was made of, records, and what carries the stamp last: killed in between, it
        is done again. Gone already is no error. A Deployment that was adopted in place is put back instead, and what
        it was is kept until then. Raises HalfDone where a finalizer keeps what runs: its records stay, too; and where
        a part is not permitted.
        """
        try:
            self._remove(stamp, seen)
        except (Denied, Invalid) as error:
            if not self._gone:
                raise
            raise HalfDone(str(error)) from error

    def _remove(self, stamp: Stamp, seen: str) -> None:
        found = self._writing.fence.expected(stamp, seen)
        if found.carrier is not None:
            self._writing.fence.refuse_foreign(found)
            refuse_managed(found.carriers)
            found = self._writing.fence.marked(found, stamp, found.carrier)
        self._kept = snapshot(self._api, found.base)
        selectors = [_pods_of(one) for one in found.deployments if not self._stays(one)]
        last = found.carrier
        kinds = [DEPLOYMENT, HPA, PDB, INGRESS, JOB, CONFIG_MAP, SERVICE_ACCOUNT, SERVICE]
        known = [(one.key, kind) for one in self._applied(found) if (kind := self._kind(one)) not in (None, *kinds)]
        at_once([partial(self._all_of, kind, found, last) for kind in kinds])
        self._unmarked(found, last)
        at_once([partial(self._one, found, key, kind) for key, kind in known if kind is not None])
        if last is not None and _finalizers(last) and _kind_of_carrier(last) == DEPLOYMENT:
            self._delete(DEPLOYMENT, last, found)
        self._until_let_go()
        self._all_of(SECRET, found, last)
        self._give_back(found)
        if last is not None:
            self._delete(_kind_of_carrier(last), last, found)
        if found.route is not None and found.route is not last:
            self._delete(HTTP_ROUTE, found.route, found)
        if self._kept is not None:
            self._api.delete(SECRET, snapshot_name(found.base))
        self._until_gone([one for one in selectors if one])

    def _applied(self, found: Found) -> list[Manifest]:
        """Everything that was ever applied and is recorded: own manifests have kinds of their own."""
        records = self._writing.reading.records
        records.releases(found.records)
        every = [whole for record in found.records if (whole := records.manifests(record)) is not None]
        return list({one.key: one for whole in every for one in whole.manifests}.values())

    def _kind(self, manifest: Manifest) -> Kind | None:
        """None for a kind that the cluster serves no more: nothing of it is there."""
        return self._api.find_kind(manifest.api_version, manifest.kind)

    def _all_of(self, kind: Kind, found: Found, last: Object | None) -> None:
        try:
            there = self._api.list(kind, labels=self._writing.reading.query).items
        except NotFound:
            return
        except Denied:
            # Whoever never makes such objects needs no right to look for them.
            if kind == SECRET or kind in [self._kind(one) for one in self._applied(found)]:
                raise
            return
        for one in there:
            if owner_uid(one):
                continue  # its labels are copies of ours, or of the same name in another target
            is_kept = self._kept is not None and kind == SECRET and name_of(one) == snapshot_name(found.base)
            if not is_kept and (last is None or uid_of(one) != uid_of(last)):
                self._delete(kind, one, found)

    def _unmarked(self, found: Found, last: Object | None) -> None:
        """Deployments that are not found by their labels any more."""
        marks = marks_of(self._writing.settings, found.base).items()
        for one in found.deployments:
            is_last = last is not None and uid_of(one) == uid_of(last)
            if not marks <= mapping(one, "metadata", "labels").items() and not is_last:
                self._delete(DEPLOYMENT, one, found)

    def _one(self, found: Found, key: Key, kind: Kind) -> None:
        live = self._api.find(kind, key.name, key.namespace or None)
        if live is None or not is_ours(mapping(live, "metadata", "labels"), found.base):
            return
        if kind.kind in NEVER and not is_taken(live):
            self._remark(f"{kind} {key.name} stays, for what is in it: a person removes it")
        elif is_taken(live) or may_go(live, found.base):
            self._delete(kind, live, found, namespace=key.namespace or None)

    def _delete(self, kind: Kind, one: Object, found: Found, namespace: str | None = None) -> None:
        is_ours = owner_of(mapping(one, "metadata", "labels")) is not None
        if kind == SERVICE and (text(one, "metadata", "annotations", ADOPTED) or not is_ours):
            return  # it was there before us, maybe with our stamp by now: it is given back instead
        if is_taken(one):
            if found.service is None or uid_of(one) != uid_of(found.service):  # that one is given back at the end
                self._leave(kind, one)
            return
        if kind == DEPLOYMENT and self._kept is not None and is_of(self._kept, one):
            self._writing.fence.conditional(one, partial(put_back, self._api, self._kept, one))
            self._remark(f"Deployment {name_of(one)} is given back as it was before shipper came")
            return
        if not is_ours and not text(one, "metadata", "annotations", STAMP) and not release_in(one):
            return
        try:
            self._api.delete(kind, name_of(one), uid=uid_of(one), namespace=namespace)
        except Conflict:
            return  # somebody made another one of this name meanwhile
        self._gone = True
        if kind in _WORKLOADS and _finalizers(one):
            self._held.append((kind, one, namespace))
        elif _finalizers(one):
            self._remark(f"{kind} {name_of(one)} is {leaving(one)}")

    def _stays(self, deployment: Object) -> bool:
        """Whether its pods are not waited for: it was there before us."""
        return is_taken(deployment) or (self._kept is not None and is_of(self._kept, deployment))

    def _leave(self, kind: Kind, one: Object) -> None:
        """What was there before us is as it was, where that was kept; else it has no mark of ours any more, and what
        releases made of it stays.
        """
        before = as_it_was(one)
        if before is not None:
            with suppress(NotFound, Invalid):
                self._api.json_patch(kind, name_of(one), before)
                self._remark(f"{kind} {name_of(one)} is given back as it was before shipper came")
                return
        with suppress(NotFound):
            self._api.merge(kind, name_of(one), {"metadata": _without_marks(one)})
            self._remark(
                f"{kind} {name_of(one)} was there before shipper, and stays: as the last release made it, "
                "without shipper's labels"
            )

    def _give_back(self, found: Found) -> None:
        """The Service that was there before us asks whom it asked, and has no mark of ours."""
        service = found.service
        if service is None:
            return
        if found.adopted is None or not text(service, "metadata", "annotations", ADOPTED):
            if is_taken(service) or owner_of(mapping(service, "metadata", "labels")) is None:
                self._api.merge(SERVICE, name_of(service), {"metadata": _without_marks(service)})
                self._remark(f"Service {name_of(service)} was there before shipper, and stays")
            return
        before = dict(found.adopted[1])
        now = mapping(service, "spec", "selector")
        selector: dict[str, Any] = {**{key: None for key in now if key not in before}, **before}
        ports = {"ports": found.adopted_ports} if found.adopted_ports else {}
        self._api.merge(
            SERVICE, name_of(service), {"metadata": _without_marks(service), "spec": {"selector": selector, **ports}}
        )
        self._remark(f"Service {name_of(service)} is given back: it asks {found.adopted[0]}, as before shipper came")

    def _remark(self, text: str) -> None:
        if self._writing.report is not None:
            self._writing.report.remark(text)

    def _until_let_go(self) -> None:
        until = time.monotonic() + LET_GO_WITHIN
        while held := [text for kind, one, namespace in self._held if (text := self._told(kind, one, namespace))]:
            if time.monotonic() >= until:
                raise HalfDone("; ".join(held))
            time.sleep(LOOK)

    def _told(self, kind: Kind, one: Object, namespace: str | None) -> str:
        """What keeps a workload that was deleted; "" when it is gone."""
        now = self._api.find(kind, name_of(one), namespace)
        if now is None or uid_of(now) != uid_of(one):
            return ""
        names = " and ".join(_finalizers(now)) or "(none by now)"
        return (
            f"{kind} {name_of(one)} is deleted and still there, with its pods: finalizer {names} keeps it until "
            "whoever set it takes it away"
        )

    def _until_gone(self, selectors: list[str]) -> None:
        """Pods are given their time to end; what takes longer than that is the nodes' business."""
        until = time.monotonic() + LEAST_PATIENCE + self._writing.settings.run.stop_grace
        while time.monotonic() < until:
            if not any(self._api.list(POD, labels=one).items for one in selectors):
                return
            time.sleep(LOOK)


def _pods_of(deployment: Object) -> str:
    return label_query(
        {key: str(value) for key, value in mapping(deployment, "spec", "selector", "matchLabels").items()}
    )


def _finalizers(one: Object) -> list[str]:
    return [str(name) for name in at(one, "metadata", "finalizers") or ()]


def _without_marks(there: Object) -> dict[str, dict[str, None]]:
    """Exactly what is ours of its labels and annotations; name and instance where nobody else says them, too."""
    marks = {
        member: {key: None for key in mapping(there, "metadata", member) if key.startswith("shipper.dev/")}
        for member in ("labels", "annotations")
    }
    labels = mapping(there, "metadata", "labels")
    if labels.get(MANAGED_BY) == MANAGER:
        marks["labels"][MANAGED_BY] = None
    alone = [key for key in (NAME, INSTANCE) if {*managers_of(there, "metadata", "labels", key)} == {MANAGER}]
    marks["labels"] |= dict.fromkeys(alone)
    return marks


def _kind_of_carrier(carrier: Object) -> Kind:
    return {"Deployment": DEPLOYMENT, "Service": SERVICE, "HTTPRoute": HTTP_ROUTE}[str(carrier["kind"])]
