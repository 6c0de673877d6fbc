"""Waiting until the platform routes as it was asked to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from shipper.model.context import Cancellation
from shipper.targets import Transient, retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.observing import refused_route
from shipper_targets.cloudrun.traffic import asked_for, routed, show

if TYPE_CHECKING:
    from google.cloud import run_v2

ROUTED = 60.0
"""Seconds; a change of routes takes a second or two."""

LOOK = 0.1
"""Seconds between two looks: a change of routes is there in one or two, and what a look is late by, the way back is
late by. Reads have a quota of 3,000 a minute and region.
"""

SETTLED = 5.0
"""Seconds that are waited for what is no route: ingress and access, or what somebody else has asked for."""


def until_routed(api: Api, wanted: Mapping[str, int], cancel: Cancellation | None, *, whole: bool = False) -> None:
    """Judged by what is routed: the operation may end in an error that is about something else, such as a newest
    revision that is not ready. `whole`: ingress or access were written, too, of which nothing says when they hold: then
    a moment longer, until the platform has done what it was asked to.

    Raises Transient for whatever else becomes of it: not routed in time, not routable, changed by somebody else, or the
    run is cancelled. The write itself was accepted, so no other error would be true: it may still come about, and who
    writes again has to look first. A run that is cancelled already is one that puts things back: it waits.
    """
    watched = _watched(cancel)
    for service in _looks(api, ROUTED, watched):
        if service is None:
            raise Transient("the service was deleted meanwhile")
        if routed(service) == wanted:
            if whole and service.reconciling:
                _while_working(api, watched)
            return
        if asked_for(service) != wanted:
            raise Transient(f"{show(wanted)} was accepted; somebody else asks for {show(asked_for(service))} since")
        if (refused := refused_route(service)) is not None:
            why = refused.message or "its routes are not ready"
            raise Transient(f"{show(wanted)} was accepted, and cannot be routed: {why}")
    if watched is not None and watched.cancelled:
        raise Transient(f"{show(wanted)} was accepted; whether it is routed was not waited for")
    raise Transient(f"{show(wanted)} was accepted, and is not routed after {ROUTED:g} s")


def until_given_up(api: Api, coming: Mapping[str, int], cancel: Cancellation | None) -> None:
    """While the platform still works on what somebody else has asked for; for a few seconds at most."""
    _while_working(api, _watched(cancel), coming)


def until_deleted(api: Api) -> None:
    """Raises Transient when the service is still there after a while."""
    if all(service is not None for service in _looks(api, ROUTED, None)):
        raise Transient(f"the deletion of {api.names.service_id} was accepted, and is not done after {ROUTED:g} s")


def _while_working(api: Api, watched: Cancellation | None, coming: Mapping[str, int] | None = None) -> None:
    for service in _looks(api, SETTLED, watched):
        if service is None or not service.reconciling or (coming is not None and routed(service) == coming):
            return


def _looks(api: Api, seconds: float, watched: Cancellation | None) -> Iterator[run_v2.Service | None]:
    """The service now and every LOOK, until the time is over or the run is cancelled."""
    deadline = time.monotonic() + seconds
    while True:
        yield retry_transient(api.service)
        if time.monotonic() >= deadline:
            return
        if watched is None:
            time.sleep(LOOK)
        elif watched.wait(LOOK):
            return


def _watched(cancel: Cancellation | None) -> Cancellation | None:
    return cancel if cancel is not None and not cancel.cancelled else None
