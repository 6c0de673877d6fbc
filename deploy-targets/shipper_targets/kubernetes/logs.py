"""What the containers of a revision print: by the API server's log of each pod, interleaved where there are several."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from shipper.model import Revision
from shipper.model.context import Cancellation
from shipper.targets import Invalid, NotFound, PlatformError, Transient
from shipper_targets.kubernetes.answers import Answer
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.instances import HasPods
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.pods import containers, short_name
from shipper_targets.kubernetes.values import Object, name_of, text, uid_of

READ = 5.0
"""Seconds for the last lines of one container."""

SILENCE = 3600.0
LOOK = 2.0
"""Seconds between two looks for pods that are new, while following."""


class Logs:
    """Needs `get` on pods/log."""

    def __init__(self, api: Api, instances: HasPods, cancel: Cancellation | None = None) -> None:
        self._api = api
        self._instances = instances
        self._cancel = cancel

    def last(self, revision: Revision, lines: int) -> list[str]:
        """The last lines of all its pods in the order in which they were printed. Raises NotFound, Denied, Transient.

        A container that was started again and says nothing yet: those of the one before.
        """
        pods = self._instances.pods(revision)
        found: list[tuple[str, str]] = []
        for pod in pods:
            prefix = f"[{short_name(pod)}] " if len(pods) > 1 else ""
            found += [(moment, prefix + line) for moment, line in self._last_of(pod, lines)]
        found.sort(key=lambda one: one[0])
        return [line for _, line in found][-lines:] if lines > 0 else []

    def of_container(self, pod: str, container: str, lines: int, *, previous: bool) -> list[str]:
        """The last lines of one container. `previous`: of the one that ended before it was started again."""
        try:
            return [line for _, line in self._read(pod, container, lines, previous=previous)]
        except (Invalid, NotFound):
            if not previous:
                raise
            return self.of_container(pod, container, lines, previous=False)

    def whole(self, pod: str, container: str) -> Iterator[str]:
        """Every line of a container that has started, to its end. Raises NotFound, Denied, Transient."""
        query = [("container", container), ("follow", "true")]
        path = POD.path(self._api.namespace, pod, "log")
        answer = self._api.request("GET", path, query=query, timeout=SILENCE, stream=True)
        if answer.status != 200:
            raise self._api.failure(f"read the log of {pod}", answer)
        for line in answer.lines():
            yield line.decode(errors="replace").rstrip("\r")

    def follow(self, revision: Revision, lines: int) -> Generator[str, None, None]:
        """The last lines and then what comes, of new pods too, until the revision is gone or the run is cancelled."""
        with _Following(self._api, revision, self._instances, lines) as following:
            yield from following.lines(self._cancel)

    def _last_of(self, pod: Object, lines: int) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for one in containers(pod):
            try:
                told = self._read(name_of(pod), one.name, lines, previous=False)
                if not told and one.ended_before:
                    told = self._read(name_of(pod), one.name, lines, previous=True)
            except (Invalid, NotFound):  # not started yet, or gone since
                continue
            found += told
        return found

    def _read(self, pod: str, container: str, lines: int, *, previous: bool) -> list[tuple[str, str]]:
        query = [("container", container), ("tailLines", str(lines)), ("timestamps", "true")]
        if previous:
            query.append(("previous", "true"))
        path = POD.path(self._api.namespace, pod, "log")
        answer = self._api.request("GET", path, query=query, timeout=READ)
        if answer.status != 200:
            raise self._api.failure(f"read the log of {pod}", answer)
        return parted_lines(answer.body.decode(errors="replace"))


@dataclass
class _Stream:
    """One container that is followed: where it is, and the last moment that was told."""

    pod: str
    container: str
    prefix: str
    since: str = ""
    answer: Answer | None = None
    thread: threading.Thread | None = field(default=None, repr=False)


class _Following:
    """A thread for each container; what they read comes out of one queue."""

    def __init__(self, api: Api, revision: Revision, instances: HasPods, lines: int) -> None:
        self._api = api
        self._revision = revision
        self._instances = instances
        self._lines = lines
        self._told: queue.Queue[str | Exception] = queue.Queue(maxsize=1000)
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._several = False
        self._closed = threading.Event()

    def __enter__(self) -> _Following:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for stream in list(self._streams.values()):
            if stream.answer is not None:
                stream.answer.close()

    def lines(self, cancel: Cancellation | None) -> Iterator[str]:
        """Ends when no pod is left and everything has been told."""
        there, next_look = True, 0.0
        while there or not self._told.empty():
            if cancel is not None and cancel.cancelled:
                return
            if there and time.monotonic() >= next_look:
                there, next_look = self._look(), time.monotonic() + LOOK
            try:
                told = self._told.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(told, Exception):
                raise told
            yield told

    def _look(self) -> bool:
        """Begin with containers that have started since. False when the revision has no pods any more."""
        try:
            pods = self._instances.pods(self._revision)
        except NotFound:
            return False
        except Transient:
            return True
        self._several = self._several or len(pods) > 1
        for pod in pods:
            for one in containers(pod):
                if one.is_running or one.ended:
                    self._begin(pod, one.name)
        return bool(pods)

    def _begin(self, pod: Object, container: str) -> None:
        key = (uid_of(pod), container)
        stream = self._streams.setdefault(key, _Stream(name_of(pod), container, f"[{short_name(pod)}] "))
        if stream.thread is not None and stream.thread.is_alive():
            return
        if stream.thread is not None and text(pod, "status", "phase") in ("Succeeded", "Failed"):
            return
        stream.thread = threading.Thread(target=self._follow, args=(stream,), daemon=True, name="shipper-log")
        stream.thread.start()

    def _follow(self, stream: _Stream) -> None:
        try:
            self._read(stream)
        except (Transient, NotFound, Invalid):
            return  # looked at again soon: an API server that is away, a container that is only starting
        except Exception as error:  # noqa: BLE001 - whoever reads gets it
            self._put(error)

    def _read(self, stream: _Stream) -> None:
        query = [("container", stream.container), ("timestamps", "true"), ("follow", "true")]
        query.append(("sinceTime", stream.since) if stream.since else ("tailLines", str(self._lines)))
        path = POD.path(self._api.namespace, stream.pod, "log")
        answer = self._api.request("GET", path, query=query, timeout=SILENCE, stream=True)
        if answer.status != 200:
            raise self._api.failure(f"read the log of {stream.pod}", answer)
        stream.answer = answer
        told_until = stream.since
        for raw in answer.lines():
            if self._closed.is_set():
                break
            moment, line = parted(raw.decode(errors="replace"))
            if told_until and moment <= told_until:
                continue  # `sinceTime` is cut to whole seconds
            stream.since = moment or stream.since
            self._put((stream.prefix if self._several else "") + line)
        answer.close()

    def _put(self, told: str | Exception) -> None:
        while not self._closed.is_set():
            try:
                self._told.put(told, timeout=0.5)
                return
            except queue.Full:
                continue


def last_lines(logs: Logs, pod: str, container: str, lines: int, *, previous: bool) -> tuple[list[str], str]:
    """The same as `of_container`, and why there are none instead of raising."""
    try:
        return logs.of_container(pod, container, lines, previous=previous), ""
    except PlatformError as error:
        return [], f"its log could not be read ({error})"


def parted_lines(body: str) -> list[tuple[str, str]]:
    """Of a whole log. Only line feeds end lines: progress bars are full of carriage returns.

    A line without a moment of its own has that of the line before, so that it stays where it is.
    """
    found: list[tuple[str, str]] = []
    for raw in body.removesuffix("\n").split("\n") if body else ():
        moment, line = parted(raw)
        found.append((moment or (found[-1][0] if found else ""), line))
    return found


def parted(line: str) -> tuple[str, str]:
    """The moment that the kubelet put before a line, and the line itself; "" where there is none."""
    moment, _, rest = line.partition(" ")
    is_moment = len(moment) > 19 and moment[4:5] == "-" and moment[10:11] == "T"
    return (moment, rest.rstrip("\r")) if is_moment else ("", line.rstrip("\r"))
