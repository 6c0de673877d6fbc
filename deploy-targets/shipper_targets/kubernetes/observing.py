"""What was found on the platform, as an observation: who has which share of the traffic, in either shape. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from shipper.model import Observation, Revision
from shipper_targets.kubernetes.addresses import address_of
from shipper_targets.kubernetes.by_hand import added_by_hand
from shipper_targets.kubernetes.drift import REPLICAS, drift_of
from shipper_targets.kubernetes.found import PENDING, Found, pods_of_service
from shipper_targets.kubernetes.labels import NUMBER, WORKLOAD
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.rollouts import (
    State,
    is_complete,
    percents,
    release_in,
    release_shares,
    sets_of,
    state_of,
    under_way,
    wanted_pods,
)
from shipper_targets.kubernetes.scaling import scales
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.stamps import stamped_at
from shipper_targets.kubernetes.values import Object, mapping, name_of, number, text

OURS = "shipper"


def observation_of(found: Found, own: KubernetesSettings) -> Observation:
    """As the seam has it."""
    weights = weights_of(found)
    revisions = [one.model_copy(update={"weight": weights.get(one.name, 0)}) for one in _revisions(found)]
    known = {one.name for one in revisions}
    adopted = found.adopted
    for name in weights.keys() - known:
        there = 0 if adopted is not None and name == adopted[0] else None
        revisions.append(Revision(name=name, release=None, number=there, weight=weights[name]))
    if adopted is not None and adopted[0] not in known | weights.keys():
        revisions.insert(0, _foreign(found, adopted[0]))
    serving = tuple(one for one in revisions if one.weight)
    numbers = [one.number or 0 for one in revisions] + [one.number for one in found.records]
    main = max(serving, key=lambda one: one.weight, default=None)
    return Observation(
        seen=found.seen,
        serving=serving,
        revisions=tuple(sorted(revisions, key=lambda one: (one.number if one.number is not None else -1, one.name))),
        stamp=found.stamp,
        highest=max([found.stamp.highest, *numbers]),
        in_flight=in_flight(found),
        drift=drift_of(found),
        remarks=added_by_hand(found, workload_weights(found)),
        capacity=capacity(found, main.name) if main is not None else None,
        capacity_owner=capacity_owner(found, main.name) if main is not None else OURS,
        address=address_of(found, own),
    )


def in_flight(found: Found) -> str | None:
    """Only where traffic moves by itself: a rollout of the one Deployment, or one that has not taken over yet."""
    rolling = found.rolling
    if rolling is None or found.shape != "rolling" or not release_in(rolling):
        return None
    if (operation := under_way(rolling, found.sets)) is not None:
        return operation
    waits = waits_for(found)
    if waits is not None:
        generation = number(rolling, "metadata", "generation")
        return f"rollout of {name_of(rolling)} to generation {generation}, which takes over from {waits}"
    return None


def waits_for(found: Found) -> str | None:
    """The workload that the one Deployment is to take the traffic over from, and has not yet.

    Not when the Service was given its traffic since, as by a rollback.
    """
    rolling, service = found.rolling, found.service
    if rolling is None or service is None:
        return None
    workload, _, when = text(rolling, "metadata", "annotations", PENDING).partition("@")
    epoch, _, count = when.partition(".")
    if not workload or found.selected(service) != workload or not (epoch.isdecimal() and count.isdecimal()):
        return None
    return workload if stamped_at(service) <= (int(epoch), int(count)) else None


def weights_of(found: Found) -> dict[str, int]:
    """Revision's name to percent of the traffic."""
    shares: dict[str, int] = {}
    for workload, share in workload_weights(found).items():
        for name, part in _split(found, workload, share).items():
            shares[name] = shares.get(name, 0) + part
    return {name: share for name, share in shares.items() if share}


def workload_weights(found: Found) -> dict[str, int]:
    """Deployment's name to percent of the traffic, by route, else by the Service; by this one, too, where a route that
    is left from a Gateway of before leads nowhere.
    """
    backends = found.backends()
    if backends is not None:
        by_name = {name_of(one): one for one in [*found.services, *([found.service] if found.service else [])]}
        asked: dict[str, int] = {}
        for name, weight in backends.items():
            workload = found.selected(by_name[name]) if name in by_name else name
            if workload and weight > 0:
                asked[workload] = asked.get(workload, 0) + weight
        if found.routes or any(_has_pods(found, workload) for workload in asked):
            return percents(asked)
    asks_ours = WORKLOAD in mapping(found.service, "spec", "selector")
    if found.service is not None and (asks_ours or not found.is_own):
        selected = found.selected(found.service)
        return {selected: 100} if selected else {}
    # Own manifests name their Services as they like, and what is in front of others: traffic is where the pods are.
    rolling = found.rolling or next(iter(found.foreign), None)
    return {name_of(rolling): 100} if rolling is not None else {}


def _is_scaled_down(found: Found, deployment: Object) -> bool:
    """Whether the one Deployment has no pods, and not because we stopped it: it has the traffic, and nobody answers."""
    is_ours = text(deployment, "metadata", "annotations", REPLICAS) == "0"
    return found.shape == "rolling" and deployment is found.rolling and not wanted_pods(deployment) and not is_ours


def _has_pods(found: Found, workload: str) -> bool:
    """Whether it is a Deployment that is to have some."""
    there = next((one for one in (*found.deployments, *found.foreign) if name_of(one) == workload), None)
    return there is not None and wanted_pods(there) > 0


def _split(found: Found, workload: str, share: int) -> dict[str, int]:
    """The share of one Deployment, by the releases that its pods are of."""
    deployment = found.deployment(workload)
    if deployment is None or not release_in(deployment):
        there = next((one for one in found.foreign if name_of(one) == workload), deployment)
        if there is not None:
            return {workload: share} if wanted_pods(there) else {}
        # One of ours that somebody deleted answers nobody; pods of something else may.
        return {workload: share} if found.service is not None and workload == pods_of_service(found.service) else {}
    if _is_scaled_down(found, deployment):
        return {found.named_after_release(deployment): share}
    names = {release_in(one): found.named_after_release(one) for one in sets_of(deployment, found.sets)}
    names[release_in(deployment)] = found.named_after_release(deployment)
    shares = percents(release_shares(deployment, found.sets), share)
    return {names.get(release, "") or workload: part for release, part in shares.items()}


def _revisions(found: Found) -> Iterator[Revision]:
    """Ours, oldest first: those that a Deployment carries, and for the one that is replaced what a record can bring
    back: it costs nothing.
    """
    carried: set[str] = set()
    for one in found.deployments:
        if name := found.named_after_release(one):
            carried.add(name)
            yield _carried(found, one, name)
    if found.shape != "rolling":
        return
    rolling = found.rolling
    running = {release_in(one) for one in _available_sets(found, rolling)}
    for record in found.records:
        if record.revision not in carried:
            yield _recorded(record, "running" if record.release in running else "stopped")


def _available_sets(found: Found, rolling: Object | None) -> list[Object]:
    if rolling is None or is_complete(rolling, found.sets):
        return []
    return [one for one in sets_of(rolling, found.sets) if number(one, "status", "availableReplicas")]


def _carried(found: Found, deployment: Object, name: str) -> Revision:
    release = release_in(deployment)
    record = found.record(release)
    numbered = text(deployment, "metadata", "annotations", NUMBER)
    return Revision(
        name=name,
        release=release,
        number=int(numbered) if numbered.isdecimal() else None,
        fingerprint=text(deployment, "metadata", "annotations", "shipper.dev/fingerprint") or None,
        state=state_of(deployment, found.sets),
        image=record.digest if record is not None else "",
        created=record.created if record is not None else None,
    )


def _recorded(record: Record, state: State) -> Revision:
    return Revision(
        name=record.revision,
        release=record.release,
        number=record.number,
        fingerprint=record.fingerprint,
        state=state,
        image=record.digest,
        created=record.created,
    )


def _foreign(found: Found, name: str) -> Revision:
    there = next((one for one in found.foreign if name_of(one) == name), None)
    return Revision(name=name, release=None, number=0, state=state_of(there) if there is not None else "failed")


def capacity(found: Found, revision: str) -> int | None:
    """How many pods the revision's Deployment should have."""
    deployment = found.workload(revision) or found.rolling
    return wanted_pods(deployment) if deployment is not None else None


def capacity_owner(found: Found, revision: str) -> str:
    """Who decides that: "hpa NAME" where there is one, whoever made it."""
    deployment = found.workload(revision) or found.rolling
    hpa = autoscaler_of(found, name_of(deployment)) if deployment is not None else None
    return f"hpa {name_of(hpa)}" if hpa is not None else OURS


def autoscaler_of(found: Found, workload: str, kind: str = "Deployment") -> Object | None:
    """The HorizontalPodAutoscaler of a Deployment, or of another kind of workload."""
    return next((one for one in found.autoscalers if scales(one, kind, workload)), None)
