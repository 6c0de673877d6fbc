"""The pods of one revision: those of its ReplicaSet, in either shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from shipper.model import Revision
from shipper.targets import NotFound
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import DEPLOYMENT, POD, REPLICA_SET
from shipper_targets.kubernetes.labels import RELEASE
from shipper_targets.kubernetes.pods import newest_set, pods_of, selector_of
from shipper_targets.kubernetes.values import Object, at, name_of, owner_uid, uid_of


class HasPods(Protocol):
    """The pods of a revision."""

    def pods(self, revision: Revision) -> list[Object]:
        """Oldest first."""
        ...


class Instances:
    """`workload_of` gives the name of the Deployment that runs a revision."""

    def __init__(self, api: Api, workload_of: Callable[[Revision], str]) -> None:
        self._api = api
        self._workload_of = workload_of

    def workload(self, revision: Revision) -> str:
        """The name of its Deployment."""
        return self._workload_of(revision)

    def pods(self, revision: Revision) -> list[Object]:
        """Oldest first. Raises NotFound when neither Deployment nor ReplicaSet has this release."""
        deployment = self._api.get(DEPLOYMENT, self.workload(revision))
        selector = selector_of(deployment)
        found = set_of(deployment, self._api.list(REPLICA_SET, labels=selector).items, revision.release)
        if found is None:
            raise NotFound(f"{name_of(deployment)} has no pods of {revision.name}")
        return pods_of(found, self._api.list(POD, labels=selector).items)


def set_of(deployment: Object, sets: Sequence[Object], release: str | None) -> Object | None:
    """The ReplicaSet that runs a release: the one that says so, by the annotation that it has from the Deployment.

    The Deployment's newest one for a release that nobody wrote down, and for the one that is being applied.
    """
    own = [one for one in sets if owner_uid(one) == uid_of(deployment) != ""]
    marked = next((one for one in own if release and at(one, "metadata", "annotations", RELEASE) == release), None)
    if marked is not None:
        return marked
    carried = at(deployment, "metadata", "annotations", RELEASE)
    return newest_set(deployment, own) if release is None or carried == release else None
