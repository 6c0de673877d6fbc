"""The fence: every write begins with the stamp on the object that moves traffic, on condition of what was seen.

Whoever comes with an older `seen` or a lower epoch is refused by that first write, before anything else was touched.
The object that moves traffic is written last, with the stamp again and on condition of the resourceVersion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from shipper.model import Settings, Stamp
from shipper.model.context import Reporter
from shipper.targets import Conflict, Invalid, NotFound, PlatformError
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kinds import DEPLOYMENT, HTTP_ROUTE, SERVICE, Kind
from shipper_targets.kubernetes.kube_errors import Immutable
from shipper_targets.kubernetes.labels import MANAGER, NOTHING, STAMP, labels_of, owner_of, selector
from shipper_targets.kubernetes.managed import remark_managed
from shipper_targets.kubernetes.observing import waits_for
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.services import ports_of
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.stamps import carries_stamp, seen_of, stamp_text, stamped_at
from shipper_targets.kubernetes.taking_over import ADOPT
from shipper_targets.kubernetes.tries import Result, made_again
from shipper_targets.kubernetes.values import Object, made_by, mapping, name_of, objects, text, uid_of

KINDS: Mapping[str, Kind] = {"Deployment": DEPLOYMENT, "Service": SERVICE, "HTTPRoute": HTTP_ROUTE}


class Fence:
    """Of one service."""

    def __init__(
        self,
        api: Api,
        reading: Reading,
        settings: Settings,
        own: KubernetesSettings,
        report: Reporter | None = None,
    ) -> None:
        self._api = api
        self._reading = reading
        self._settings = settings
        self._own = own
        self._report = report
        self._crossed = False
        self._remarked = False

    @property
    def port(self) -> int:
        """The Service's."""
        return self._own.service_port

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What fails in here after a write under the fence says that it did: our stamp is there."""
        self._crossed = False
        try:
            yield
        except PlatformError as error:
            error.partly = error.partly or self._crossed
            raise

    def enter(self, stamp: Stamp, seen: str, *, create: bool = False) -> Found:
        """Read, compare, and write the stamp; what is there then. `create`: make a carrier where there is none yet.

        Raises Conflict when something else is there than was seen or somebody with a higher epoch was here, NotFound
        when there is nothing to carry the stamp, Invalid when the name is somebody else's.
        """
        found = self.expected(stamp, seen)
        carrier = found.carrier
        if carrier is None:
            if not create:
                raise NotFound(f"there is nothing of {found.base} that could carry the stamp")
            # Own manifests have their Services as they like; their Deployment, the last write, is the first carrier.
            return found if self._own.has_own_manifests else self._made(found, stamp)
        self.refuse_foreign(found)
        self._remark_managed(found)
        for one in found.carriers:
            if is_half_made(one):
                found = exchanged(found, one, self._as_applied(KINDS[str(one["kind"])], one))
        carrier = found.carrier or carrier
        value = stamp_text(stamp, found.carriers)
        found = self._marked(found, value, carrier)
        if carrier is not found.service and found.service is not None and of_both_shapes(found):
            # A run of the other shape begins with the Service: one of the two is refused there.
            found = self._marked(found, value, found.service)
        if found.shape == "weighted" and found.route is not None and not found.routes:
            # A run that has the Gateway in its settings begins with the route: likewise.
            found = self._marked(found, value, found.route)
        return found

    def expected(self, stamp: Stamp, seen: str) -> Found:
        """What is there, if it is what was seen and nobody with a higher epoch was here."""
        found = self._reading.now()
        if found.seen != seen:
            raise Conflict(f"{found.base} is not as it was seen: somebody wrote meanwhile")
        if stamp.epoch < found.stamp.epoch:
            raise Conflict(f"epoch {stamp.epoch} was overtaken by epoch {found.stamp.epoch}")
        return found

    def refuse_overtaken(self, found: Found) -> None:
        """Before what is written under no condition. Raises Conflict where another run wrote its stamp since."""
        carrier = found.carrier
        if carrier is None:
            return
        now = self._api.find(KINDS[str(carrier["kind"])], name_of(carrier))
        if now is None or uid_of(now) != uid_of(carrier):
            raise Conflict(f"{carrier['kind']} {name_of(carrier)} was removed meanwhile")
        (ours, _), (theirs, _) = stamped_at(carrier), stamped_at(now)
        if theirs > ours:
            raise Conflict(f"epoch {ours} was overtaken by epoch {theirs}")
        if stamped_at(now) > stamped_at(carrier):
            raise Conflict(f"{found.base} is not as it was seen: somebody wrote meanwhile")

    def refuse_foreign(self, found: Found) -> None:
        """Raises Invalid where the names are another service's, or somebody's who was not asked."""
        wanted = (self._settings.service.service, self._settings.service.environment)
        for carrier in found.carriers:
            owner = owner_of(mapping(carrier, "metadata", "labels"))
            what = f"{carrier.get('kind')} {name_of(carrier)}"
            if maker := made_by(carrier):
                raise Invalid(f"{what} is made by {maker}: choose another name for this target")
            if owner is not None and owner != wanted:
                raise Invalid(f"{what} is that of {' in '.join(owner)}: choose another name for this target")
            if owner is None and not self._own.adopt and not carries_stamp(carrier):
                raise Invalid(f"{what} is there, and shipper did not make it: {ADOPT}")

    def _remark_managed(self, found: Found) -> None:
        """Once in a run. A release is refused by preflight; what comes here is a way back, or an end."""
        if not self._remarked:
            self._remarked = True
            remark_managed(found.carriers, self._report)

    def marked(self, found: Found, stamp: Stamp, carrier: Object) -> Found:
        """The stamp on a carrier, on condition that it is as it was read."""
        return self._marked(found, stamp_text(stamp, found.carriers), carrier)

    def _marked(self, found: Found, value: str, carrier: Object) -> Found:
        def write(version: str) -> dict[str, Any]:
            patch = {"metadata": {"resourceVersion": version, "annotations": {STAMP: value}}}
            return self._api.merge(KINDS[str(carrier["kind"])], name_of(carrier), patch)

        return exchanged(found, carrier, self.conditional(carrier, write))

    def conditional(self, carrier: Object, write: Callable[[str], Result]) -> Result:
        """`write(resourceVersion)`, again where only what `seen` does not cover has changed. Raises Conflict."""
        kind, before = KINDS[str(carrier["kind"])], seen_of([carrier])

        def still() -> Object | None:
            now = self._api.find(kind, name_of(carrier))
            return now if now is not None and seen_of([now]) == before else None

        try:
            done = made_again(lambda there: write(text(there, "metadata", "resourceVersion")), carrier, still)
        except (NotFound, Immutable) as error:
            # Gone, or made anew: metadata.uid is in what is applied.
            if isinstance(error, Immutable) and "metadata.uid" not in error.fields:
                raise
            raise Conflict(f"{kind} {name_of(carrier)} was removed meanwhile") from error
        self._crossed = True
        return done

    def _made(self, found: Found, stamp: Stamp) -> Found:
        """The Service, which gives its traffic to nobody yet: of two that do this at once one is refused."""
        base = found.base
        labels = labels_of(self._settings, base)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": base,
                "namespace": self._own.namespace,
                "labels": labels,
                "annotations": {STAMP: stamp_text(stamp, ())},
            },
            "spec": {
                "selector": selector(base, NOTHING),
                "ports": ports_of(self._own.service_port),
            },
        }
        return exchanged(found, None, self.created(body))

    def created(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A carrier that is not there yet: an apply would write over one that somebody has made since. Raises Conflict
        then.
        """
        kind = KINDS[str(body["kind"])]
        made = self._api.create(kind, body)
        self._crossed = True
        return self._as_applied(kind, {**made, "kind": kind.kind})

    def _as_applied(self, kind: Kind, made: Object) -> dict[str, Any]:
        """Hand the fields of a creation over to server-side apply, or it would never remove one of them again."""
        told = objects(made, "metadata", "managedFields")
        managers = [{**one, "operation": "Apply"} if _creates(one) else one for one in told]
        version = text(made, "metadata", "resourceVersion")
        patch = {"metadata": {"resourceVersion": version, "managedFields": managers}}
        return self.conditional(made, lambda now: self._api.merge(kind, name_of(made), _at(patch, now)))


def exchanged(found: Found, old: Object | None, new: dict[str, Any]) -> Found:
    """The same with one carrier as it is after a write of ours."""
    kind = new["kind"] = new.get("kind") or (old or {}).get("kind") or "Service"
    if kind == "Service":
        return replace(found, service=new)
    if kind == "HTTPRoute":
        return replace(found, route=new)
    others = [one for one in found.deployments if uid_of(one) != uid_of(new)]
    return replace(found, deployments=(*others, new))


def of_both_shapes(found: Found) -> bool:
    """Whether there are Deployments of their own beside the one that is replaced. Not while that waits for their
    traffic: a later stamp on the Service says that it does no more.
    """
    both = found.rolling is not None and any(found.is_per_release(one) for one in found.deployments)
    return both and waits_for(found) is None


def is_half_made(carrier: Object) -> bool:
    """Whether a run was killed between its creation and the next write: see `_as_applied`."""
    ours = [one for one in objects(carrier, "metadata", "managedFields") if one.get("manager") == MANAGER]
    made = any(_creates(one) and mapping(one, "fieldsV1", "f:spec") for one in ours)
    return made and not any(one.get("operation") == "Apply" for one in ours)


def _creates(manager: Object) -> bool:
    return manager.get("manager") == MANAGER and manager.get("operation") == "Update"


def _at(patch: Mapping[str, Any], version: str) -> dict[str, Any]:
    return {"metadata": {**patch["metadata"], "resourceVersion": version}}
