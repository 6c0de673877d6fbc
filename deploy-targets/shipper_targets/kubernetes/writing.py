"""What both shapes write alike: the record, everything that moves no traffic, and the Service as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from shipper.model import Release, Revision, Settings
from shipper.model.context import Cancellation, Reporter
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.applying import apply
from shipper_targets.kubernetes.carriers import Fence, exchanged
from shipper_targets.kubernetes.drift import TRAFFIC
from shipper_targets.kubernetes.found import ADOPTED, Found
from shipper_targets.kubernetes.labels import STAMP, labels_of
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.rollouts import release_in
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import Object, at, mapping, text, uid_of

KEPT = (STAMP, ADOPTED, TRAFFIC)
"""Annotations of a carrier that no manifest has: left out of an apply they could be taken away."""


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

    def harmless(self, release: Release, whole: Rendered, found: Found) -> None:
        """The record, and everything that neither runs nor is asked: at once, in any order."""
        labels = labels_of(self.settings, found.base)
        before = self.before(found)
        others = [one for one in whole.others if not is_carrier(one, found)]
        at_once(
            [
                partial(self.reading.records.write, release, whole, labels),
                *[partial(self.applied, one, before) for one in others],
            ]
        )

    def applied(self, manifest: Manifest, before: Rendered | None) -> dict[str, Any]:
        """One object, unconditionally: what it is moves no traffic."""
        last = before.find(manifest.key) if before is not None else None
        return apply(self.api, manifest, force=self.own.force_conflicts, adopts=self.own.adopt, before=last)

    def carrier_applied(self, found: Found, live: Object | None, manifest: Manifest, *, force: bool = False) -> Found:
        """One object that decides traffic, on condition that it is as it was read; what is there then."""
        before = self.before(found)
        last = before.find(manifest.key) if before is not None else None
        force, adopts = force or self.own.force_conflicts, self.own.adopt

        def write(version: str) -> dict[str, Any]:
            uid = uid_of(live) if live is not None else ""
            return apply(self.api, manifest, force=force, adopts=adopts, before=last, version=version, uid=uid)

        written = self.fence.conditional(live, write) if live is not None else write("")
        return exchanged(found, live, written)

    def before(self, found: Found) -> Rendered | None:
        """What was applied last: for the Deployment that is replaced, else for the newest that is there."""
        carried = [found.rolling] if found.rolling is not None else list(found.deployments)[-1:]
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
    """Whether an object decides who is asked: the Service and the HTTPRoute of this name."""
    return manifest.kind in ("Service", "HTTPRoute") and manifest.name == found.base


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
    return Manifest(body)


def going_on(manifest: Manifest, live: Object | None) -> Manifest:
    """A Deployment that somebody has paused would never roll out what it is given."""
    if at(live, "spec", "paused") is not True:
        return manifest
    body = manifest.copied()
    body["spec"]["paused"] = False
    return Manifest(body)
