"""Keeping up with a Deployment, its ReplicaSets, their pods and the pods' events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from shipper.targets import NotFound, PlatformError
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.feeds import Feed, Feeds
from shipper_targets.kubernetes.kinds import DEPLOYMENT, EVENT, POD, REPLICA_SET
from shipper_targets.kubernetes.pods import selector_of
from shipper_targets.kubernetes.values import Object, text
from shipper_targets.kubernetes.verdicts import Facts

POD_EVENTS = "involvedObject.kind=Pod"


class Watching(Feeds):
    """Its selector never changes: the other feeds are begun when the Deployment has been read."""

    def __init__(self, api: Api, deployment: str) -> None:
        super().__init__(api)
        self._name = deployment
        self._begun = False

    def __enter__(self) -> Self:
        self.start(Feed(DEPLOYMENT, fields=f"metadata.name={self._name}"))
        return self

    def facts(self) -> Facts | None:
        """None while the first lists are not there. Raises NotFound when the Deployment is not there, Denied."""
        known = {feed.kind: found for feed, found in self.known().items()}
        deployment = next(iter(known.get(DEPLOYMENT, ())), None)
        if deployment is None or REPLICA_SET not in known or POD not in known:
            return None
        return Facts(deployment, known[REPLICA_SET], known[POD], by_pod(known.get(EVENT, ())))

    def listed(self, feed: Feed, items: tuple[dict[str, Any], ...]) -> None:
        """Raises NotFound when there is no such Deployment."""
        if feed.kind != DEPLOYMENT:
            return
        if not items:
            raise NotFound(f"there is no Deployment {self._name}")
        if not self._begun:
            self._begun = True
            selector = selector_of(items[0])
            self.start(Feed(REPLICA_SET, labels=selector))
            self.start(Feed(POD, labels=selector))
            self.start(Feed(EVENT, fields=POD_EVENTS, optional=True))

    def deleted(self, feed: Feed, item: dict[str, Any]) -> None:
        """Raises NotFound when it was the Deployment."""
        if feed.kind == DEPLOYMENT:
            raise NotFound(f"Deployment {self._name} was deleted meanwhile")


def by_pod(events: Iterable[Object]) -> Mapping[str, list[Object]]:
    """Pod uid to its events, oldest first."""
    found: dict[str, list[Object]] = {}
    for event in sorted(events, key=_moment):
        found.setdefault(text(event, "involvedObject", "uid"), []).append(event)
    return found


def facts_now(api: Api, deployment: str) -> Facts:
    """The same by asking once. Raises NotFound, Denied, Transient."""
    found = api.get(DEPLOYMENT, deployment)
    selector = selector_of(found)
    sets, pods = api.list(REPLICA_SET, labels=selector), api.list(POD, labels=selector)
    try:
        events = api.list(EVENT, fields=POD_EVENTS).items
    except PlatformError:  # they only explain
        events = ()
    return Facts(found, sets.items, pods.items, by_pod(events))


def _moment(event: Object) -> tuple[str, int]:
    """The second in which it happened last (RFC 3339 in UTC sorts as text), and which write it was."""
    series = text(event, "series", "lastObservedTime")
    moment = series or text(event, "lastTimestamp") or text(event, "eventTime") or text(event, "firstTimestamp")
    version = text(event, "metadata", "resourceVersion")
    return moment[:19], int(version) if version.isdigit() else 0
