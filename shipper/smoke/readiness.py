"""Waiting until a candidate is ready, which means: until it answers as `[health]` says.

A published port accepts connections with nothing behind it, and the engine's own health status may come half a
minute late, so only a real answer counts.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from shipper.model import Dossier
from shipper.smoke.asking import Answer, fetch, health_fault
from shipper.smoke.examining import why_it_failed
from shipper.smoke.listening import listeners_of
from shipper.smoke.patience import Look, is_hopeless
from shipper.smoke.program import running_platform
from shipper.smoke.trial import Trial
from shipper.targets.diagnosis import Listener, architecture, tail_of
from shipper.targets.log_patterns import announced_ports

_FIRST_WAIT = 0.02  # seconds between two questions, growing to the longest
_LONGEST_WAIT = 0.25
_LOOK_EVERY = 1.0  # seconds between two looks at the sockets, while nothing answers
_NEAR = 0.3  # seconds to connect to a container on this machine


def wait_until_ready(trial: Trial) -> str | Dossier:
    """The base URL that answers as ready; or why it never will, or did not within its start-up budget."""
    if (emulation := _wrong_architecture(trial)) is not None:
        return emulation
    waiting = _Waiting(trial)
    delay = _FIRST_WAIT
    while True:
        trial.cancel.check()
        if trial.candidate.ended() or trial.candidate.ran_out_of_memory():
            return why_it_failed(trial)
        if (ready := waiting.ask()) is not None:
            return ready
        if waiting.is_over() and not trial.candidate.ended():
            return why_it_failed(trial, waiting.answer)
        trial.cancel.wait(delay)
        delay = min(delay * 1.5, _LONGEST_WAIT)


class _Waiting:
    """Asks, and looks at the sockets while nothing answers."""

    def __init__(self, trial: Trial) -> None:
        self.answer: Answer | None = None
        self._trial = trial
        self._urls = trial.candidate.base_urls()
        self._looks: list[Look] = []
        self._next_look = trial.started + _LOOK_EVERY

    def ask(self) -> str | None:
        """The URL that answers as ready, else None."""
        health = self._trial.health
        timeout = max(0.05, min(health.timeout, self._left()))
        for number, url in enumerate(self._urls):
            if number > 0 and not _accepts(url):
                continue
            self.answer = fetch(url, "GET", health.path, timeout=timeout)
            if health_fault(health, self.answer) is None:
                return url
            if self.answer.reached:
                break
        return None

    def is_over(self) -> bool:
        """Whether the budget is spent, or waiting cannot help."""
        if self._left() <= 0:
            return True
        silent = self.answer is None or self.answer.status is None
        now = time.monotonic()
        if not silent or now < self._next_look:
            return False
        self._next_look = now + _LOOK_EVERY
        return self._is_hopeless(now)

    def _is_hopeless(self, now: float) -> bool:
        candidate = self._trial.candidate
        listeners = listeners_of(candidate)
        self._looks.append(Look(now, listeners, candidate.usage().cpu_seconds))
        self._tell(now, listeners)
        announced = announced_ports(self._trial.log_lines()) if listeners else frozenset()
        return is_hopeless(self._looks, self._trial.run.port, announced)

    def _tell(self, now: float, listeners: Sequence[Listener] | None) -> None:
        health = self._trial.health
        waited = now - self._trial.started
        text = "waiting for an answer" if listeners or listeners is None else "waiting: listens on no port yet"
        self._trial.report.progress(f"{text} on {health.path}", waited, health.startup)

    def _left(self) -> float:
        return self._trial.started + self._trial.health.startup - time.monotonic()


def _accepts(url: str) -> bool:
    # The address of a container that has just ended belongs to nobody: without this, asking it takes seconds.
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname, place.port or 80), timeout=_NEAR).close()
    except OSError:
        return False
    return True


def _wrong_architecture(trial: Trial) -> Dossier | None:
    image, engine = architecture(trial.image.platform), architecture(trial.engine_platform)
    if image == engine:
        return None
    # Emulated, a program sees the machine that it was built for. If it sees the engine's own, the image's label lies.
    seen = running_platform(trial.candidate)
    if seen is None or architecture(seen) != engine:
        return None
    return Dossier(
        cause="wrong-architecture",
        reason=f"the image says {trial.image.platform}, but its programs are for {trial.engine_platform}",
        hint="build from a base image of the right platform: look at FROM --platform",
        log_tail=tail_of(trial.log_lines()),
    )
