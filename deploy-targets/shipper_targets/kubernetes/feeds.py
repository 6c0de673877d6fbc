"""Keeping up with lists of objects: listed once, then watched, each kind in a thread of its own.

A watch blocks, hence the threads. A watch that ends, breaks or is too old (410) is begun again, with a list where that
is needed; an API server that is away is waited for. Whoever asks gets what is known by now.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from shipper.targets import Denied, Transient
from shipper_targets.kubernetes.api import Api, Watch
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.kube_errors import Gone
from shipper_targets.kubernetes.values import text, uid_of

WATCH = 300.0
"""Seconds after which a watch is begun anew: proxies on the way cut what is silent for longer."""

FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0
"""Seconds between two tries to reach an API server that is away."""

SHORTEST = 1.0
"""Seconds: watches that live for less are not begun again at once."""


@dataclass(frozen=True)
class Feed:
    """What one thread keeps up with. Without an `optional` one things are only less well explained."""

    kind: Kind
    labels: str = ""
    fields: str = ""
    optional: bool = False


class Feeds:
    """As a context manager: the threads end with it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._changed = threading.Condition()
        self._known: dict[Feed, dict[str, dict[str, Any]]] = {}
        self._watches: dict[Feed, Watch] = {}
        self._error: Exception | None = None
        self._trouble = ""
        self._closed = threading.Event()
        self._version = 0
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        if sys.is_finalizing():
            return  # its threads stand still, with locks held that closing would wait for
        with self._changed:
            watches = list(self._watches.values())
        for watch in watches:
            watch.close()

    def start(self, feed: Feed) -> None:
        """Begin to keep up with one more."""
        name = f"shipper-watch-{feed.kind.plural}"
        threading.Thread(target=self._keep_up, args=(feed,), name=name, daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Until something has changed since the last `known`, for at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != self._seen, seconds)

    def known(self) -> dict[Feed, list[dict[str, Any]]]:
        """What each feed has by now; one that is not listed yet is missing. Raises what ended a feed: Denied, …"""
        with self._changed:
            self._seen = self._version
            if self._error is not None:
                raise self._error
            return {feed: list(found.values()) for feed, found in self._known.items()}

    @property
    def trouble(self) -> str:
        """Why nothing new comes; "" when all is well."""
        with self._changed:
            return self._trouble

    # In threads

    def listed(self, feed: Feed, items: tuple[dict[str, Any], ...]) -> None:
        """A list has come, the first one or another. What this raises ends the feed."""

    def deleted(self, feed: Feed, item: dict[str, Any]) -> None:
        """One is gone. What this raises ends the feed."""

    def _keep_up(self, feed: Feed) -> None:
        version, pause, is_gone = "", FIRST_WAIT, False
        while not self._closed.is_set():
            try:
                version = version or self._list(feed)
                began = time.monotonic()
                version, is_gone = self._watch(feed, version), False
                if time.monotonic() - began >= SHORTEST:
                    pause = FIRST_WAIT
                    continue
                self._closed.wait(pause)  # what stands between us does not stream: each watch ends at once
                pause = min(LONGEST_WAIT, pause * 2)
            except Gone:
                version = ""
                if is_gone:  # what was listed just now is too old already
                    self._closed.wait(pause)
                    pause = min(LONGEST_WAIT, pause * 2)
                is_gone = True
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
        with self._changed:
            self._known[feed] = {uid_of(one): one for one in listed.items}
            self._trouble = ""
            self._note()
        self.listed(feed, listed.items)
        return listed.version

    def _watch(self, feed: Feed, version: str) -> str:
        """Until it ends. Returns the version from which the next one goes on."""
        watch = self._api.watch(feed.kind, labels=feed.labels, fields=feed.fields, version=version, seconds=WATCH)
        with self._changed:
            self._watches[feed] = watch
            self._trouble = ""
        if self._closed.is_set():
            watch.close()
        for kind, item in watch:
            version = text(item, "metadata", "resourceVersion") or version
            if kind != "BOOKMARK":
                self._take(feed, kind, item)
        return version

    def _take(self, feed: Feed, kind: str, item: dict[str, Any]) -> None:
        with self._changed:
            known = self._known[feed]
            if kind == "DELETED":
                known.pop(uid_of(item), None)
            else:
                known[uid_of(item)] = item
            self._note()
        if kind == "DELETED":
            self.deleted(feed, item)

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
