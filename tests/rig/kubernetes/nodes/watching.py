"""A kind of objects kept up to date in memory: list, then watch, and again from the list after a 410."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, ValuesView

import urllib3

from tests.rig.kubernetes.nodes.apiserver import ApiFailure, ApiServer, Object, key

log = logging.getLogger(__name__)

Heard = Callable[[str, Object], None]
"""ADDED, MODIFIED or DELETED, and the object."""

_PAUSE = 0.5  # seconds before the list is asked for again


class Watched:
    """All objects of one collection. `heard` is called from the watching thread, in order.

    A kind whose definition is not installed yet (404) is empty until it is there.
    """

    def __init__(self, api: ApiServer, path: str, heard: Heard) -> None:
        self._api, self._path, self._heard = api, path, heard
        self._objects: dict[tuple[str, str], Object] = {}
        self._lock = threading.Lock()
        self.listed = threading.Event()
        """Set when the first list has been heard, or the kind turned out not to exist."""
        self._thread = threading.Thread(target=self._follow, name=f"watch {path}", daemon=True)
        self._thread.start()

    def get(self, namespace: str, name: str) -> Object | None:
        with self._lock:
            return self._objects.get((namespace, name))

    def all(self) -> list[Object]:
        """A snapshot."""
        with self._lock:
            values: ValuesView[Object] = self._objects.values()
            return list(values)

    def _follow(self) -> None:
        pause = threading.Event()
        while True:
            try:
                version = self._list()
                while True:
                    version = self._watch(version)
            except ApiFailure as failure:
                if failure.status == 404:
                    self.listed.set()
                elif failure.status != 410:
                    log.warning("watch %s: %s", self._path, failure)
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                log.warning("watch %s: %s", self._path, error)
            pause.wait(_PAUSE)

    def _tell(self, kind: str, thing: Object) -> None:
        try:
            self._heard(kind, thing)
        except Exception:  # a bug of ours must not end the watch for everybody
            log.exception("%s %s of %s", kind, key(thing), self._path)

    def _list(self) -> str:
        found = self._api.get(self._path)
        now = {key(item): item for item in found["items"]}
        with self._lock:
            before, self._objects = self._objects, dict(now)
        for name, item in before.items():
            if name not in now or now[name]["metadata"]["uid"] != item["metadata"]["uid"]:
                self._tell("DELETED", item)
        for name, item in now.items():
            self._tell("MODIFIED" if name in before else "ADDED", item)
        self.listed.set()
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str:
        for event in self._api.watch(self._path, version):
            item = event["object"]
            version = str(item["metadata"]["resourceVersion"])
            if event["type"] == "BOOKMARK":
                continue
            with self._lock:
                if event["type"] == "DELETED":
                    self._objects.pop(key(item), None)
                else:
                    self._objects[key(item)] = item
            self._tell(event["type"], item)
        return version
