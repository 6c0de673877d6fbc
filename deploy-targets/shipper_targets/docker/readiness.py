"""Whether a revision is ready: our own health check through the pin, and what says that it can never become so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shipper.model import Dossier, HealthSettings, ProbeRequest, ProbeResponse, Progress, Revision
from shipper.model.json_text import parse_json
from shipper.targets import NotFound, PlatformError, Transient, difference
from shipper.targets.diagnosis import Facts, diagnose, is_loopback
from shipper_targets.docker.containers import Containers, Found
from shipper_targets.docker.facts import gather, has_ended, listeners_of

POLL = 0.1
"""Seconds between two questions."""

PATIENCE = 0.4
"""Seconds after which an answer that has not come is told: the caller's deadline and Ctrl-C need a step."""

LOOK_EVERY = 1.5
"""Seconds between two looks at where the container listens, while nothing answers on its port."""


def unready_because(health: HealthSettings, response: ProbeResponse) -> str:
    """Empty when the answer means ready, else why it does not. Pure."""
    if response.status != health.status:
        return f"{health.path} answers {response.status}, not {health.status}"
    if health.json_ is None:
        return ""
    try:
        found = parse_json(response.body)
    except ValueError:
        return f"{health.path} does not answer with JSON"
    return difference(health.json_, found) or ""


class Readiness:
    """Follows revisions until they are ready. Knows what the engine said at the start and what they answered last."""

    def __init__(
        self,
        containers: Containers,
        probe: Callable[[Revision, ProbeRequest], ProbeResponse],
        reaches: Callable[[Found, int, HealthSettings], bool],
        platform: Callable[[], str],
    ) -> None:
        self._containers = containers
        self._probe = probe
        self._reaches = reaches
        self._platform = platform
        self._start_errors: dict[str, str] = {}
        self._last: dict[str, tuple[int | None, str]] = {}

    def start(self, found: Found) -> None:
        """Start the container. What keeps it from starting is the revision's failure: `follow` tells it."""
        self._start_errors[found.revision] = self._containers.start(found)

    def follow(self, revision: Revision) -> Iterator[Progress]:
        """`waiting` at least every half second until `ready` or `failed`."""
        asking: _Asking | None = None
        looked, misplaced = time.monotonic(), ""
        while True:
            found = self._containers.named(revision.name)
            if found is None:
                gone = Dossier(cause="removed", reason="its container was removed by somebody else")
                yield Progress(state="failed", reason=gone.reason, dossier=gone)
                return
            record = self._containers.inspect(found)
            if self._cannot_heal(found, record):
                yield self._failed(found)
                return
            asking = asking or _Asking(lambda found=found: self._ask(revision, found))  # type: ignore[misc]
            problem = asking.answer(PATIENCE)
            if problem is None:
                yield Progress(state="waiting", reason=f"asked {asking.seconds:.1f} s ago, no answer yet")
                continue
            asking = None
            if not problem:
                yield Progress(state="ready")
                return
            if self._last[revision.name][0] is None and time.monotonic() - looked > LOOK_EVERY:
                looked, before = time.monotonic(), misplaced
                misplaced = self._misplaced(found, record)
                if misplaced and misplaced == before:  # seen twice: not the moment between two sockets
                    yield self._failed(found)
                    return
            yield Progress(state="waiting", reason=problem)
            time.sleep(POLL)

    def diagnose(self, revision: Revision) -> Dossier:
        """Why it is not ready, from everything that can be found out now."""
        try:
            found = self._containers.named(revision.name)
            if found is None:
                return Dossier(cause="removed", reason="its container is not there any more")
            return diagnose(self._facts(found))
        except PlatformError as error:
            return Dossier(cause="unknown", reason=str(error))

    def _cannot_heal(self, found: Found, record: Mapping[str, Any]) -> bool:
        return bool(
            has_ended(record)
            or self._start_errors.get(found.revision)
            or self._containers.ran_out_of_memory(found, record)
        )

    def _failed(self, found: Found) -> Progress:
        dossier = diagnose(self._facts(found))
        return Progress(state="failed", reason=dossier.reason, dossier=dossier)

    def _ask(self, revision: Revision, found: Found) -> str:
        health = found.health
        try:
            response = self._probe(revision, ProbeRequest(path=health.path, timeout=health.timeout))
        except (Transient, NotFound) as error:
            self._last[revision.name] = (None, str(error))
            return str(error)
        problem = unready_because(health, response)
        self._last[revision.name] = (response.status, problem)
        return problem

    def _misplaced(self, found: Found, record: Mapping[str, Any]) -> str:
        """Where it listens instead, when that can never heal: its port on loopback, or the answer on another port."""
        listeners = listeners_of(self._containers, found, record) or ()
        port = found.run.port
        if any(number == port for _, number in listeners):
            only = all(is_loopback(address) for address, number in listeners if number == port)
            return "loopback" if only else ""
        others = [number for address, number in listeners if not is_loopback(address)]
        answering = [number for number in others[:3] if self._reaches(found, number, found.health)]
        return f"port {answering[0]}" if answering else ""

    def _facts(self, found: Found) -> Facts:
        status, problem = self._last.get(found.revision, (None, ""))
        record = self._containers.inspect(found)
        return gather(
            self._containers,
            found,
            record,
            found.run,
            found.health,
            start_error=self._start_errors.get(found.revision, ""),
            last_status=status,
            problem=problem,
            waited=self._containers.seconds_since_start(record),
            engine_platform=self._platform(),
        )


class _Asking:
    """One question in a thread of its own: a service may take its whole time limit to answer."""

    def __init__(self, call: Callable[[], str]) -> None:
        self._call = call
        self._began = time.monotonic()
        self._done = threading.Event()
        self._result: str | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="shipper-health", daemon=True).start()

    @property
    def seconds(self) -> float:
        """Since it was asked."""
        return time.monotonic() - self._began

    def answer(self, patience: float) -> str | None:
        """What `call` returned; None when it has not yet. Raises what it raised."""
        if not self._done.wait(patience):
            return None
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to who asked
            self._error = error
        self._done.set()
