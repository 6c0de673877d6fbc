"""Following a revision until it is ready: by its conditions, and by its pods, which know sooner and better why not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from shipper.model import Dossier, Progress, Revision, Settings
from shipper.targets import Denied, NotFound, PlatformError
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.conditions import (
    READY,
    ROUTES,
    WINDOW,
    has_given_up,
    has_routed,
    refused_route,
    says,
    state_of,
    told_by,
)
from shipper_targets.knative.dossiers import finding_of
from shipper_targets.knative.kinds import USER_CONTAINER
from shipper_targets.knative.scaling import least_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.traffic import LATEST, asked_for, tags
from shipper_targets.kubernetes.dossiers import dossier_of, wants_log
from shipper_targets.kubernetes.findings import Finding, Patience, waiting, worst
from shipper_targets.kubernetes.logs import Logs, last_lines
from shipper_targets.kubernetes.values import Object, condition, is_true, number, objects, text, uid_of
from shipper_targets.kubernetes.verdicts_pods import pod_finding

POLL = 0.25
"""Seconds between two looks, each of two or three reads."""

EVENTS = 2.0
"""Seconds between two looks at the events of the namespace's pods."""

LOG_LINES = 40

_OVER = ("ProgressDeadlineExceeded",)
"""Reasons after which Knative does nothing more for a revision."""

QUEUE_PROXY = "queue-proxy"
READY_NOW = Finding("ready")


class Readiness:
    """Of one Service's revisions. `settings` say what its container should do."""

    def __init__(self, calls: Calls, logs: Logs, settings: Settings, own: KnativeSettings) -> None:
        self._calls = calls
        self._logs = logs
        self._settings = settings
        self._own = own
        self._events_readable = True
        self._last_events: Mapping[str, list[Object]] = {}
        self._events_at = -EVENTS

    def follow(self, revision: Revision) -> Iterator[Progress]:
        """Until it is ready and routed as it was asked to be, or cannot become so. Raises NotFound, Denied."""
        patience = Patience()
        while True:
            step = self._step(patience.judged(self._finding(revision.name)))
            yield step
            if step.state != "waiting":
                return
            time.sleep(POLL)

    def diagnose(self, revision: Revision) -> Dossier:
        """What is known now. Never raises."""
        try:
            found = self._finding(revision.name)
        except PlatformError as error:
            return Dossier(cause="unknown", reason=f"the platform could not be asked: {error}")
        if found.state == "ready":
            return Dossier(cause="not-ready", reason=f"{revision.name} is ready by now")
        return self._explained(found)

    def _step(self, found: Finding) -> Progress:
        if found.state != "failed":
            return Progress(state=found.state, reason=found.reason)
        dossier = self._explained(found)
        return Progress(state="failed", reason=dossier.reason, dossier=dossier)

    def _explained(self, found: Finding) -> Dossier:
        """With the container's own last lines, where these say more. Never raises."""
        log: list[str] = []
        problem = ""
        if wants_log(found):
            log, problem = last_lines(self._logs, found.pod, found.container, LOG_LINES, previous=found.previous)
        dossier = dossier_of(found, self._settings, log, namespace=self._own.namespace)
        hint = "; ".join(part for part in (dossier.hint, problem) if part)
        return dossier.model_copy(update={"hint": hint})

    # What is found

    def _finding(self, name: str) -> Finding:
        revision = self._calls.revision(name)
        if revision is None:
            return self._not_made_yet(name)
        if state_of(revision) == "running":
            return self._routed(name, revision)
        pods = self._of_pods(name)
        told = condition(revision, READY)
        if pods is not None:  # they know sooner, and heal: a container that has crashed once may be starting again
            return pods if told_by(told)[0] not in _OVER else _out_of_time(pods, told)
        if says(revision, READY, "False"):
            return _standing(finding_of(told))
        reason, message = told_by(told)
        return waiting("not-ready", message or reason or "starting")

    def _of_pods(self, name: str) -> Finding | None:
        """The worst of what its pods say, with the others beside it; None when they say nothing."""
        pods = self._calls.pods(name)
        events = {} if all(is_true(pod, READY) for pod in pods) else self._events()
        window = self._own.unschedulable_window
        found = [pod_finding(pod, events.get(uid_of(pod), ()), window=window) for pod in pods]
        told = [_of_users(one) for one in found if one is not None]
        first = worst(told)
        return replace(first, beside=tuple(told)) if first is not None else None

    def _events(self) -> Mapping[str, list[Object]]:
        """They only explain, and the API server can tell them for a whole namespace only: so not with every look."""
        if self._events_readable and time.monotonic() - self._events_at >= EVENTS:
            try:
                self._last_events, self._events_at = self._calls.events(), time.monotonic()
            except Denied:
                self._events_readable = False
        return self._last_events

    def _not_made_yet(self, name: str) -> Finding:
        """The platform makes the revision after it has accepted the write."""
        service = self._calls.service()
        if service is None or text(service, "spec", "template", "metadata", "name") != name:
            raise NotFound(f"there is no revision {name}")
        given_up = has_given_up(service)
        return waiting("not-ready", "accepted") if given_up is None else _standing(finding_of(given_up))

    def _routed(self, name: str, revision: Object) -> Finding:
        """A ready revision can be asked once its route, or its tag's, is there."""
        service = self._calls.needed()
        if name not in _targets(service):
            return READY_NOW  # nobody asks for instances of it
        there = any(text(one, "revisionName") == name for one in objects(service, "status", "traffic"))
        if (there and has_routed(service)) or self._others_hold_it_up(service, name):
            return self._with_instances(revision)
        if (refused := refused_route(service)) is not None:
            return _standing(finding_of(refused))
        message = told_by(condition(service, ROUTES))[1]
        return waiting("not-ready", "ready, its route is not there yet" + (f": {message}" if message else ""))

    def _others_hold_it_up(self, service: Object, name: str) -> bool:
        """Knative routes nothing anew while any revision that is asked for is not ready, such as one that serves and
        crashes by now: its traffic is what the next write takes away. Until then only pods can be asked.
        """
        others = _targets(service) - {name}
        found = (self._calls.revision(one) for one in sorted(others))
        return any(one is None or state_of(one) != "running" for one in found)

    def _with_instances(self, revision: Object) -> Finding:
        """One that comes back has its smallest number of instances first, where it has one, whatever the autoscaler has
        decided yet: otherwise all the traffic would meet what one instance can take.
        """
        there = number(revision, "status", "actualReplicas")
        wanted = least_of(revision) or min(1, number(revision, "status", "desiredReplicas"))
        if there < wanted:
            return self._of_pods(text(revision, "metadata", "name")) or waiting(
                "not-ready", f"{there} of {wanted} instances"
            )
        return READY_NOW


def _targets(service: Object) -> set[str]:
    """The revisions that its traffic and tags ask for by name."""
    return {*asked_for(service), *tags(service).values()} - {LATEST}


def _of_users(found: Finding) -> Finding:
    """Knative's own container asks the user's for readiness, and its probe fails for it: with a status of its own, and
    whatever the reason was. The user's says more.
    """
    if found.container != QUEUE_PROXY or found.cause != "not-ready":
        return found
    words = "running, not ready: Readiness probe failed: Knative's proxy gets no good answer from it"
    return replace(found, container=USER_CONTAINER, reason=words, exit_code=None, previous=False)


def _standing(found: Finding) -> Finding:
    """What Knative says may turn True by itself a moment later: it fails when it has stood for a while."""
    return waiting(found.cause, found.reason, found.hint, patience=WINDOW)


def _out_of_time(found: Finding, told: Object) -> Finding:
    return replace(found.failed, reason=f"{told_by(told)[0]}: {found.reason}")
