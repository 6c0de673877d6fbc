"""Events as the kubelet writes them: one per pod, reason and message, counted up when it happens again.

From k8s.io/client-go/tools/record. Left out: its limit of 25 events of a kind and pod, and "combined from similar".
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from datetime import UTC, datetime

import urllib3

from tests.rig.kubernetes.nodes.apiserver import ApiFailure, ApiServer, Object, path

log = logging.getLogger(__name__)


class Events:
    """Writes the Events of all pods of this process."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._written: dict[tuple[str, str, str, str], tuple[str, int]] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(time.time_ns())

    def write(
        self, pod: Object, kind: str, reason: str, message: str, container: str = "", *, init: bool = False
    ) -> None:
        """`kind` is Normal or Warning. A namespace or a pod that is going takes no Events: that is no error."""
        about = pod["metadata"]
        field = f"spec.{'initContainers' if init else 'containers'}{{{container}}}" if container else ""
        same = (str(about["uid"]), reason, message, field)
        with self._lock:
            name, count = self._written.get(same, (f"{about['name']}.{next(self._numbers):x}", 0))
            self._written[same] = (name, count + 1)
        try:
            if count:
                change: Object = {"count": count + 1, "lastTimestamp": stamp()}
                self._api.patch(path("events", about["namespace"], name), change)
            else:
                self._api.create(path("events", about["namespace"]), _event(pod, kind, reason, message, field, name))
        except (ApiFailure, urllib3.exceptions.HTTPError) as error:
            if not (isinstance(error, ApiFailure) and error.status in (403, 404)):
                log.warning("event %s of %s: %s", reason, about["name"], error)

    def forget(self, pod: Object) -> None:
        """Keep nothing about a pod that is gone."""
        uid = str(pod["metadata"]["uid"])
        with self._lock:
            self._written = {same: value for same, value in self._written.items() if same[0] != uid}


def stamp(at: datetime | None = None) -> str:
    """A time as Kubernetes writes it: whole seconds, UTC."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(pod: Object, kind: str, reason: str, message: str, field: str, name: str) -> Object:
    about = pod["metadata"]
    now = stamp()
    involved = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": about["name"],
        "namespace": about["namespace"],
        "uid": about["uid"],
        "resourceVersion": about["resourceVersion"],
    }
    node = str(pod["spec"].get("nodeName", ""))
    return {
        "metadata": {"name": name, "namespace": about["namespace"]},
        "involvedObject": involved | ({"fieldPath": field} if field else {}),
        "type": kind,
        "reason": reason,
        "message": message[:1024],
        "source": {"component": "kubelet", "host": node},
        "reportingComponent": "kubelet",
        "reportingInstance": node,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
