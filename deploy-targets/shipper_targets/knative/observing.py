"""What the platform has of a Service, as an observation. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from shipper.model import Address, Observation, Release, Revision
from shipper_targets.knative.addresses import address_of
from shipper_targets.knative.conditions import State, state_of
from shipper_targets.knative.drift import drift_of
from shipper_targets.knative.marks import (
    ADOPTED,
    ADOPTED_VISIBILITY,
    WRITTEN,
    annotation,
    is_stamped,
    own_release,
    read_stamp,
)
from shipper_targets.knative.scaling import least_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.traffic import about_to_serve, is_unsettled
from shipper_targets.knative.written import visibility_of
from shipper_targets.kubernetes.labels import STAMP
from shipper_targets.kubernetes.values import Object, at, is_leaving, name_of, number, text, uid_of

ABSENT = "absent"
"""`seen` where there is no Service."""

OWNER = "Knative"
"""Who decides how many instances there are: no count is ever sent."""


@dataclass(frozen=True)
class Found:
    """A Service and its revisions, oldest first, as they were read."""

    name: str
    own: KnativeSettings
    service: Object | None
    revisions: Sequence[Object]

    @cached_property
    def releases(self) -> dict[str, Release]:
        """Our revisions' names to the releases that they are."""
        found = {name_of(one): own_release(self.name, one) for one in self.revisions}
        return {name: release for name, release in found.items() if release is not None}

    @property
    def adopted(self) -> str:
        """The revision that served before shipper came: #0. Empty when there was none."""
        service = self.service
        if service is None or self.releases or is_stamped(service):
            return annotation(service, ADOPTED)
        weights = about_to_serve(service)
        return max(weights, key=lambda name: (weights[name], name), default="")

    @property
    def adopting(self) -> dict[str, str]:
        """For our first write: what was before us. A Service whose stamp was lost keeps what it has noted."""
        if self.service is None or not self.adopted or annotation(self.service, ADOPTED):
            return {ADOPTED: self.adopted}
        return {ADOPTED: self.adopted, ADOPTED_VISIBILITY: visibility_of(self.service)}

    def observation(self) -> Observation:
        """As the seam has it."""
        service = self.service
        weights = about_to_serve(service) if service is not None else {}
        there = {name_of(one): one for one in self.revisions}
        names = dict.fromkeys([*there, *weights])
        shown = {name: self._shown(name, there.get(name), weights.get(name, 0)) for name in names}
        known = {name: one for name, one in shown.items() if one.release or one.weight or name == self.adopted}
        stamp = read_stamp(service)
        numbers = [release.number for release in self.releases.values()]
        return Observation(
            seen=seen_of(service),
            serving=tuple(one for one in known.values() if one.weight),
            revisions=tuple(known.values()),
            idle=tuple(name for name, one in known.items() if one.state == "running" and is_idle(there.get(name))),
            stamp=stamp,
            highest=max([stamp.highest, *numbers]),
            in_flight=f"the deletion of {self.name}" if service is not None and is_leaving(service) else None,
            unsettled=f"the routes of {self.name}" if service is not None and is_unsettled(service) else None,
            drift=drift_of(service, self.revisions, self.releases, self.name) if service is not None else (),
            capacity=None,
            capacity_owner=OWNER,
            address=self._address(weights),
        )

    def _address(self, weights: Mapping[str, int]) -> Address | None:
        """None where nobody can ask it now: a service inside is asked through its pods, and idle it has none. Nothing
        from here would wake it up.
        """
        found = address_of(self.service, self.own) if self.service is not None else None
        serving = [one for one in self.revisions if name_of(one) in weights]
        idle = bool(serving) and not any(number(one, "status", "actualReplicas") for one in serving)
        return None if found is not None and found.reach == "internal" and idle else found

    def _shown(self, name: str, revision: Object | None, weight: int) -> Revision:
        release = self.releases.get(name)
        number = release.number if release is not None else 0 if name == self.adopted else None
        return Revision(
            name=name,
            release=release.id if release is not None else None,
            number=number,
            fingerprint=release.fingerprint if release is not None else None,
            state=_state(revision, ours=release is not None and not weight) if revision is not None else "failed",
            image=release.main.config_digest if release is not None else "",
            created=created_of(revision) if revision is not None else None,
            weight=weight,
        )


def _state(revision: Object, *, ours: bool) -> State:
    """Of ours without traffic, one that lost its smallest number of instances is stopped: it has to get them back, by a
    tag, before all the traffic meets what one instance can take. Elsewhere having none is no reason to start anything.
    """
    state = state_of(revision)
    return "stopped" if state == "running" and ours and lacks_instances(revision) else state


def lacks_instances(revision: Object) -> bool:
    """Whether it should have some, and has none."""
    return bool(least_of(revision)) and not number(revision, "status", "actualReplicas")


def is_idle(revision: Object | None) -> bool:
    """Whether Knative says that it has no instance; a count that is not there yet says nothing."""
    count: object = at(revision, "status", "actualReplicas")
    return count == 0


def seen_of(service: Object | None) -> str:
    """The version of what is ours: which object, what it asks for, and our annotations.

    Not the resourceVersion: each status of the reconcilers changes that, and is no reason to decide anything again.
    """
    if service is None:
        return ABSENT
    ours = [annotation(service, key) for key in (STAMP, WRITTEN, ADOPTED)]
    parts = [at(service, "metadata", "generation"), is_leaving(service), visibility_of(service), *ours]
    return f"{uid_of(service)}.{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]}"


def created_of(item: Object) -> float | None:
    """Unix seconds; None when it does not say."""
    try:
        return datetime.fromisoformat(text(item, "metadata", "creationTimestamp").replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
