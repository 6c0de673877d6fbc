"""Following a revision until it is ready: by polling the platform's own conditions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from google.cloud.run_v2 import Condition

from shipper.model import Dossier, Progress, Revision, Settings
from shipper.targets import NotFound, PlatformError, retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.dossiers import dossier_of, explain
from shipper_targets.cloudrun.logs import Logs
from shipper_targets.cloudrun.observing import has_failed, ready_condition, refused_route
from shipper_targets.cloudrun.traffic import asked_for, tags

if TYPE_CHECKING:
    from google.cloud import run_v2

POLL = 0.4
"""Seconds between two looks: a step comes at least every 0.5 s. Reads have a quota of 3,000 a minute and region."""

LOG_LINES = 40
LOG_DELAY = 3.0
"""Seconds that the last lines of a container that has failed are waited for."""

CONTAINERS_OWN = ("crashed", "not-ready", "out-of-memory")

_RETRYING = ("IMMEDIATE_RETRY", "POSTPONED_RETRY", "WAITING_FOR_OPERATION")
"""Reasons by which the platform says that it goes on trying."""


class Readiness:
    """Of one service's revisions. `settings` say what its container should do."""

    def __init__(self, api: Api, logs: Logs, settings: Settings) -> None:
        self._api = api
        self._logs = logs
        self._settings = settings
        self._readable = True

    def follow(self, revision: Revision) -> Iterator[Progress]:
        """Until it is ready and routed as it was asked to be, or the platform has given it up. Raises NotFound."""
        until = None
        while True:
            step = retry_transient(lambda: self._step(revision.name))
            if step.state == "failed" and self._lacks_log(step):
                until = until or time.monotonic() + LOG_DELAY
                if time.monotonic() < until:
                    step = Progress(state="waiting", reason="it has failed; its log is on its way")
            yield step
            if step.state != "waiting":
                return
            time.sleep(POLL)

    def diagnose(self, revision: Revision) -> Dossier:
        """What is known now. Never raises."""
        try:
            found = self._api.revision(revision.name)
            if found is not None:
                return self._dossier(found)
        except PlatformError as error:
            return Dossier(cause="unknown", reason=f"the platform could not be asked: {error}")
        return Dossier(cause="unknown", reason=f"{revision.name} is not there any more")

    def _lacks_log(self, step: Progress) -> bool:
        """Whether the container's own words would say more, and may still come: entries are seconds late."""
        dossier = step.dossier
        return dossier is not None and dossier.cause in CONTAINERS_OWN and not dossier.log_tail and self._readable

    def _step(self, name: str) -> Progress:
        found = self._api.revision(name)
        condition = ready_condition(found) if found is not None else None
        if found is not None and has_failed(condition) and not _goes_on(condition):
            dossier = self._dossier(found)
            return Progress(state="failed", reason=dossier.reason, dossier=dossier)
        if condition is not None and condition.state == Condition.State.CONDITION_SUCCEEDED:
            return self._routed(name)
        if found is None:
            return self._not_made_yet(name)
        told = condition.message if condition is not None else ""
        return Progress(state="waiting", reason=told.strip() or "starting")

    def _routed(self, name: str) -> Progress:
        """A ready revision can be asked once its route, or its tag's, is there."""
        service = self._api.service()
        if service is None:
            raise NotFound(f"the service of {name} is gone")
        wanted = name in asked_for(service) or name in tags(service).values()
        there = any(status.revision == name for status in service.traffic_statuses)
        if there or not wanted:
            return Progress(state="ready")
        if (refused := refused_route(service)) is not None:
            dossier = self._explained(refused, ())
            return Progress(state="failed", reason=dossier.reason, dossier=dossier)
        return Progress(state="waiting", reason="ready, its route is not there yet")

    def _not_made_yet(self, name: str) -> Progress:
        """The platform makes the revision after it has accepted the write."""
        service = self._api.service()
        if service is None or service.template.revision != name:
            raise NotFound(f"there is no revision {name}")
        if service.reconciling or not has_failed(service.terminal_condition):
            return Progress(state="waiting", reason="accepted")
        dossier = self._explained(service.terminal_condition, ())
        return Progress(state="failed", reason=dossier.reason, dossier=dossier)

    def _explained(self, condition: run_v2.Condition, log: tuple[str, ...]) -> Dossier:
        reason = condition.reason.name if condition.reason else ""
        return explain(reason, condition.message, self._settings.run, self._settings.health, log)

    def _dossier(self, found: run_v2.Revision) -> Dossier:
        name = found.name.rpartition("/")[2]
        problem, log = "", []
        try:
            log = self._logs.last(name, LOG_LINES)
        except PlatformError as error:
            problem, self._readable = f"its log could not be read ({error})", False
        dossier = dossier_of(found, self._settings.run, self._settings.health, log)
        hint = "; ".join(part for part in (dossier.hint, problem) if part)
        return dossier.model_copy(update={"hint": hint})


def _goes_on(condition: run_v2.Condition | None) -> bool:
    return condition is not None and bool(condition.reason) and condition.reason.name in _RETRYING
