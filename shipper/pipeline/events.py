"""Events on their way from stages to sinks: redacted, stamped with time and run, in one order for all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from shipper.model.context import Clock
from shipper.model.event import Event, Remark, StageFinished
from shipper.model.secret import Secret, redact

_log = logging.getLogger(__name__)
_OUR_OWN_WORDS = frozenset({"event", "at", "run", "stage", "status", "cause", "code", "version"})

Kind = TypeVar("Kind", bound=Event)


class Sink(Protocol):
    """Something that shows or keeps events. Called under a lock: never by two threads at once."""

    def __call__(self, event: Event) -> None:
        """One event, in order."""

    def close(self) -> None:
        """No event follows."""


class Events:
    """The events of one run. A sink that fails gets no more events; the others are told, and the run goes on."""

    def __init__(self, run: str, sinks: Sequence[Sink], clock: Clock, secrets: Sequence[Secret] = ()) -> None:
        self.run = run
        self._clock = clock
        self._lock = threading.RLock()
        self._sinks = list(sinks)
        self._secrets = tuple(secrets)
        self._timings: dict[str, float] = {}
        self._closed = False

    @property
    def timings(self) -> dict[str, float]:
        """Stage to seconds, of the stages that have ended."""
        with self._lock:
            return dict(self._timings)

    def add_secrets(self, secrets: Sequence[Secret]) -> None:
        """From now on these values are replaced by `***` in every text."""
        with self._lock:
            self._secrets = (*self._secrets, *(secret for secret in secrets if secret not in self._secrets))

    def redact(self, text: str) -> str:
        """`text` without any secret of this run."""
        return redact(text, self._secrets)

    def emit(self, event: Event) -> None:
        """Redact, stamp and hand to every sink. Nothing happens after `close`."""
        with self._lock:
            if self._closed:
                return
            if isinstance(event, StageFinished):
                self._timings[event.stage] = event.seconds
            self._hand_out(self._stamped(event))

    def close(self) -> None:
        """Close every sink. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for sink in self._sinks:
                self._guarded(sink, sink.close)

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _stamped(self, event: Kind) -> Kind:
        update: dict[str, Any] = {"at": event.at or self._clock.now(), "run": event.run or self.run}
        if self._secrets:
            for name in type(event).model_fields:
                if name not in _OUR_OWN_WORDS:
                    update[name] = self._redacted(getattr(event, name))
        return event.model_copy(update=update)

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self._redacted(key): self._redacted(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._redacted(item) for item in value)
        return value

    def _hand_out(self, event: Event) -> None:
        failures = []
        for sink in tuple(self._sinks):
            problem = self._guarded(sink, lambda sink=sink: sink(event))  # type: ignore[misc]
            if problem:
                self._sinks.remove(sink)
                failures.append(problem)
        for problem in failures:
            self._hand_out(self._stamped(Remark(text=problem)))

    def _guarded(self, sink: Sink, call: Callable[[], None]) -> str:
        """Empty when it worked, else what to tell."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a sink does, the release goes on
            _log.debug("sink failed", exc_info=True)
            name = getattr(sink, "name", type(sink).__name__)
            return f"{name} stopped working and gets no more events: {type(error).__name__}: {error}"
        return ""
