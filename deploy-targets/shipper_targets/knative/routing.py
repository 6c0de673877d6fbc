"""Waiting until the platform routes as it was asked to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from shipper.model.context import Cancellation
from shipper.targets import Transient
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.conditions import ROUTES, WINDOW, has_routed, refused_route, told_by, works_on_routes
from shipper_targets.knative.traffic import asked_for, routed, show
from shipper_targets.kubernetes.values import Object, condition, uid_of

ROUTED = 60.0
"""Seconds; a change of routes takes 0.1 to 0.3 s here, and the ingress a moment more."""

LOOK, SLOWEST = 0.05, 0.5
"""Seconds between two looks, at first and after a while: what a look is late by, the way back is late by."""

SETTLED = 5.0
"""Seconds that are waited for what somebody else has asked for."""

_GONE = 20.0


def until_routed(
    calls: Calls, wanted: Mapping[str, int], cancel: Cancellation | None, since: float | None = None
) -> None:
    """Judged by RoutesReady and what is routed, at our generation: `Ready` stays False after a revision that failed.

    `since`: when it was asked for first (monotonic, seconds); now, when absent. Asked again, it is not waited for anew.

    Raises Transient for whatever else becomes of it: not routed in time, not routable, changed by somebody else, or the
    run is cancelled. The write itself was accepted, so no other error would be true: it may still come about, and who
    writes again has to look first. A run that is cancelled already is one that puts things back: it waits.
    """
    watched = _watched(cancel)
    refused_since: float | None = None
    why = ""
    left = ROUTED if since is None else since + ROUTED - time.monotonic()
    for service in _looks(calls, left, watched):
        if service is None:
            raise Transient("the Service was deleted meanwhile")
        if has_routed(service) and routed(service) == wanted:
            return
        if asked_for(service) != wanted:
            raise Transient(f"{show(wanted)} was accepted; somebody else asks for {show(asked_for(service))} since")
        why = told_by(condition(service, ROUTES))[1]
        refused = refused_route(service)
        refused_since = None if refused is None else refused_since or time.monotonic()
        if refused is not None and refused_since is not None and time.monotonic() - refused_since >= WINDOW:
            reason, message = told_by(refused)
            raise Transient(f"{show(wanted)} was accepted, and cannot be routed: {message or reason}")
    if watched is not None and watched.cancelled:
        raise Transient(f"{show(wanted)} was accepted; whether it is routed was not waited for")
    late = f"{show(wanted)} was accepted, and is not routed after {ROUTED:g} s"
    raise Transient(f"{late}: {why}" if why else late)


def until_given_up(calls: Calls, coming: Mapping[str, int], cancel: Cancellation | None) -> None:
    """While the platform still works on what somebody else has asked for; for a few seconds at most."""
    for service in _looks(calls, SETTLED, _watched(cancel)):
        if service is None or not works_on_routes(service) or routed(service) == coming:
            return


def until_deleted(calls: Calls, deleted: Object) -> None:
    """Raises Transient when the Service is still there after a while. Its revisions go after it: their names are free
    only then, so they are waited for, too, for a while.
    """
    looks = _looks(calls, ROUTED, None)
    if all(service is not None and uid_of(service) == uid_of(deleted) for service in looks):
        raise Transient(f"the deletion of {calls.name} was accepted, and is not done after {ROUTED:g} s")
    deadline = time.monotonic() + _GONE
    while calls.revisions(deleted) and time.monotonic() < deadline:
        time.sleep(LOOK)


def _looks(calls: Calls, seconds: float, watched: Cancellation | None) -> Iterator[Object | None]:
    """The Service now and again, less and less often, until the time is over or the run is cancelled."""
    deadline, pause = time.monotonic() + seconds, LOOK
    while True:
        yield calls.service()
        if time.monotonic() >= deadline:
            return
        if watched is None:
            time.sleep(pause)
        elif watched.wait(pause):
            return
        pause = min(pause * 1.2, SLOWEST)


def _watched(cancel: Cancellation | None) -> Cancellation | None:
    return cancel if cancel is not None and not cancel.cancelled else None
