"""What the platform has of a service, as an observation. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from google.cloud.run_v2 import Condition, IngressTraffic

from shipper.model import Address, Observation, Release, Revision
from shipper_targets.cloudrun.drift import drift_of
from shipper_targets.cloudrun.marks import ADOPTED, STAMP, own_release, read_stamp
from shipper_targets.cloudrun.names import Names, short_name
from shipper_targets.cloudrun.traffic import about_to_serve

if TYPE_CHECKING:
    from google.cloud import run_v2

ABSENT = "absent"
"""`seen` where there is no service."""

OWNER = "Cloud Run"
"""Who decides how many instances there are: no count is ever sent."""

READY = "Ready"
State = Literal["running", "stopped", "starting", "failed"]


@dataclass(frozen=True)
class Found:
    """A service and its revisions, oldest first, as they were read."""

    names: Names
    service: run_v2.Service | None
    revisions: Sequence[run_v2.Revision]

    @cached_property
    def releases(self) -> dict[str, Release]:
        """Our revisions' names to the releases that they are."""
        service = self.names.service_id
        found = {one.name: own_release(service, one.name, dict(one.annotations)) for one in self.revisions}
        return {short_name(name): release for name, release in found.items() if release is not None}

    @property
    def adopted(self) -> str:
        """The revision that served before shipper came: #0. Empty when there was none."""
        service = self.service
        if service is None or self.releases or STAMP in service.annotations:
            return service.annotations.get(ADOPTED, "") if service is not None else ""
        weights = about_to_serve(service)
        return max(weights, key=lambda name: (weights[name], name), default="")

    def observation(self) -> Observation:
        """As the seam has it."""
        service = self.service
        weights = about_to_serve(service) if service is not None else {}
        there = {short_name(one.name): one for one in self.revisions}
        shown = [self._shown(name, there.get(name), weights.get(name, 0)) for name in [*there, *weights]]
        known = {one.name: one for one in shown if one.release is not None or one.weight or one.name == self.adopted}
        stamp = read_stamp(service)
        numbers = [release.number for release in self.releases.values()]
        return Observation(
            seen=service.etag if service is not None else ABSENT,
            serving=tuple(one for one in known.values() if one.weight),
            revisions=tuple(known.values()),
            stamp=stamp,
            highest=max([stamp.highest, *numbers]),
            in_flight=self._in_flight,
            drift=drift_of(service, self.releases, self.names.service_id) if service is not None else (),
            capacity=None,
            capacity_owner=OWNER,
            address=address_of(service) if service is not None else None,
        )

    @property
    def _in_flight(self) -> str | None:
        """Only what cannot be written over: every other operation gives way to the next write, which names what it
        wants whole, and whose etag is refused when the operation has changed the service meanwhile.
        """
        deleting = self.service is not None and "delete_time" in self.service
        return f"the deletion of {self.names.service_id}" if deleting else None

    def _shown(self, name: str, revision: run_v2.Revision | None, weight: int) -> Revision:
        release = self.releases.get(name)
        number = release.number if release is not None else 0 if name == self.adopted else None
        return Revision(
            name=name,
            release=release.id if release is not None else None,
            number=number,
            fingerprint=release.fingerprint if release is not None else None,
            state=state_of(revision) if revision is not None else "failed",
            image=release.main.config_digest if release is not None else "",
            created=revision.create_time.timestamp() if revision is not None else None,
            weight=weight,
        )


def state_of(revision: run_v2.Revision) -> State:
    """A revision that is ready can take traffic at once, whether it has instances or not: it counts as running."""
    condition = ready_condition(revision)
    if condition is None or condition.state != Condition.State.CONDITION_SUCCEEDED:
        return "failed" if has_failed(condition) else "starting"
    return "running"


def ready_condition(revision: run_v2.Revision) -> run_v2.Condition | None:
    """The condition that sums the others up."""
    return next((condition for condition in revision.conditions if condition.type_ == READY), None)


def has_failed(condition: run_v2.Condition | None) -> bool:
    """Whether it says that this will not become true any more."""
    return condition is not None and condition.state == Condition.State.CONDITION_FAILED


def refused_route(service: run_v2.Service) -> run_v2.Condition | None:
    """Why the platform has given up to route as it was asked to; None while it works, or when all is well."""
    if service.reconciling:
        return None
    return next((one for one in service.conditions if one.type_ == "RoutesReady" and has_failed(one)), None)


def answers_inside_only(service: run_v2.Service) -> bool:
    """Whether the service, as it is now, answers inside its network only."""
    return service.ingress in (
        IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY,
        IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER,
    )


def address_of(service: run_v2.Service) -> Address | None:
    """None while the platform has given it none."""
    if not service.uri:
        return None
    inside, open_to_all = answers_inside_only(service), service.invoker_iam_disabled
    return Address(url=service.uri, reach="internal" if inside else "public" if open_to_all else "authenticated")
