"""Keeping up with a Deployment, its ReplicaSets, their pods and the pods' events: lists once, then watches.

One thread for each kind, because a watch blocks. A watch that ends, breaks or is too old (410) is begun again, with a
list where that is needed; an API server that is away is waited for. Whoever asks gets what is known by now.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from shipper.targets import Denied, NotFound, PlatformError, Transient
from shipper_targets.kubernetes.api import Api, Watch
from shipper_targets.kubernetes.kinds import DEPLOYMENT, EVENT, POD, REPLICA_SET, Kind
from shipper_targets.kubernetes.kube_errors import Gone
from shipper_targets.kubernetes.pods import selector_of
from shipper_targets.kubernetes.values import Object, text, uid_of
from shipper_targets.kubernetes.verdicts import Facts

WATCH = 300.0
"""Seconds after which a watch is begun anew: proxies on the way cut what is silent for longer."""

FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0
"""Seconds between two tries to reach an API server that is away."""

POD_EVENTS = "involvedObject.kind=Pod"


@dataclass(frozen=True)
class Feed:
    """What one thread keeps up with. Without an `optional` one things are only less well explained."""

    kind: Kind
    labels: str = ""
    fields: str = ""
    optional: bool = False


class Watching:
    """As a context manager: the threads end with it. `version` grows with everything that changes."""

    def __init__(self, api: Api, deployment: str) -> None:
        self._api = api
        self._name = deployment
        self._changed = threading.Condition()
        self._known: dict[Kind, dict[str, dict[str, Any]]] = {}
        self._watches: dict[Kind, Watch] = {}
        self._error: Exception | None = None
        self._trouble = ""
        self._closed = threading.Event()
        self._version = 0
        self._seen = 0

    def __enter__(self) -> Watching:
        self._start(Feed(DEPLOYMENT, fields=f"metadata.name={self._name}"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        with self._changed:
            watches = list(self._watches.values())
        for watch in watches:
            watch.close()

    def wait(self, seconds: float) -> None:
        """Until something has changed since the last `facts`, for at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != self._seen, seconds)

    def facts(self) -> Facts | None:
        """None while the first lists are not there. Raises NotFound when the Deployment is not there, Denied."""
        with self._changed:
            self._seen = self._version
            if self._error is not None:
                raise self._error
            known = {kind: list(found.values()) for kind, found in self._known.items()}
        deployment = next(iter(known.get(DEPLOYMENT, ())), None)
        if deployment is None or REPLICA_SET not in known or POD not in known:
            return None
        return Facts(deployment, known[REPLICA_SET], known[POD], by_pod(known.get(EVENT, ())))

    @property
    def trouble(self) -> str:
        """Why nothing new comes; "" when all is well."""
        with self._changed:
            return self._trouble

    # In threads

    def _start(self, feed: Feed) -> None:
        name = f"shipper-watch-{feed.kind.plural}"
        threading.Thread(target=self._keep_up, args=(feed,), name=name, daemon=True).start()

    def _keep_up(self, feed: Feed) -> None:
        version, pause = "", FIRST_WAIT
        while not self._closed.is_set():
            try:
                version = version or self._list(feed)
                version = self._watch(feed, version)
                pause = FIRST_WAIT
            except Gone:
                version = ""
            except Transient as error:
                version = ""  # what was missed meanwhile may be more than a watch gives
                self._tell(str(error))
                self._closed.wait(pause)
                pause = min(LONGEST_WAIT, pause * 2)
            except Exception as error:  # noqa: BLE001 - whoever asks gets it
                if not (feed.optional and isinstance(error, Denied)):
                    self._fail(error)
                return

    def _list(self, feed: Feed) -> str:
        listed = self._api.list(feed.kind, labels=feed.labels, fields=feed.fields)
        if feed.kind == DEPLOYMENT and not listed.items:
            raise NotFound(f"there is no Deployment {self._name}")
        with self._changed:
            first = feed.kind not in self._known
            self._known[feed.kind] = {uid_of(one): one for one in listed.items}
            self._trouble = ""
            self._note()
        if feed.kind == DEPLOYMENT and first:
            self._start_others(selector_of(listed.items[0]))
        return listed.version

    def _start_others(self, selector: str) -> None:
        self._start(Feed(REPLICA_SET, labels=selector))
        self._start(Feed(POD, labels=selector))
        self._start(Feed(EVENT, fields=POD_EVENTS, optional=True))

    def _watch(self, feed: Feed, version: str) -> str:
        """Until it ends. Returns the version from which the next one goes on."""
        watch = self._api.watch(feed.kind, labels=feed.labels, fields=feed.fields, version=version, seconds=WATCH)
        with self._changed:
            self._watches[feed.kind] = watch
            self._trouble = ""
        if self._closed.is_set():
            watch.close()
        for kind, item in watch:
            version = text(item, "metadata", "resourceVersion") or version
            if kind != "BOOKMARK":
                self._take(feed, kind, item)
        return version

    def _take(self, feed: Feed, kind: str, item: dict[str, Any]) -> None:
        if feed.kind == DEPLOYMENT and kind == "DELETED":
            raise NotFound(f"Deployment {self._name} was deleted meanwhile")
        with self._changed:
            known = self._known[feed.kind]
            if kind == "DELETED":
                known.pop(uid_of(item), None)
            else:
                known[uid_of(item)] = item
            self._note()

    def _tell(self, trouble: str) -> None:
        with self._changed:
            self._trouble = trouble
            self._note()

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._error = self._error or error
            self._note()

    def _note(self) -> None:
        self._version += 1
        self._changed.notify_all()


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
