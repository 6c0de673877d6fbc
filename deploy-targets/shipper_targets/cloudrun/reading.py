"""Reading a service and its revisions, not more often than they can have changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.targets import retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.names import short_name
from shipper_targets.cloudrun.observing import Found
from shipper_targets.cloudrun.traffic import LATEST, asked_for, routed, tags

if TYPE_CHECKING:
    from google.cloud import run_v2

RECENT = 5.0
"""Seconds for which what was read may still be told. A record never changes and a revision is made by a change of the
service, so only a revision that somebody else deletes is told for this much longer; who gives traffic to a revision
asks for that one again.
"""


class Reading:
    """Of one service. Remembers what it read last: on the way back, each list of revisions costs a call."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._last: Found | None = None
        self._at = 0.0
        self._list: _Listed | None = None

    def now(self) -> Found:
        """As it is. The service first: a revision that it names is in the list that is read after it."""
        service = retry_transient(self._api.service)
        found = Found(self._api.names, service, self._revisions(service))
        self._last, self._at = found, time.monotonic()
        return found

    def recent(self) -> Found:
        """As it was read last, if that was just now: for records, which never change."""
        if self._last is not None and time.monotonic() - self._at <= RECENT:
            return self._last
        return self.now()

    def seen(self, etag: str) -> run_v2.Service | None:
        """The service as it was just seen with this etag, to be written upon: a copy. None when it has to be read
        again. A write is refused by the platform when the service has another etag by then.
        """
        from google.cloud import run_v2

        last = self._last.service if self._last is not None else None
        if last is None or last.etag != etag or last.reconciling or time.monotonic() - self._at > RECENT:
            return None
        return run_v2.Service(last)

    def forget(self, *, revisions: bool = False) -> None:
        """A write of ours: the service is another one, and with `revisions` some are made or deleted."""
        self._last = None
        if revisions:
            self._list = None

    def _revisions(self, service: run_v2.Service | None) -> list[run_v2.Revision]:
        if service is None:
            return []
        follow, known = _what_revisions_follow(service), self._list
        if known is None or not known.still_holds(follow, _named(service)):
            at = time.monotonic()
            known = self._list = _Listed(at, follow, retry_transient(self._api.revisions))
        return known.revisions


@dataclass(frozen=True)
class _Listed:
    """Revisions as they were listed at a time (monotonic, seconds) of a service that had `follow`."""

    at: float
    follow: tuple[object, ...]
    revisions: list[run_v2.Revision]

    def still_holds(self, follow: tuple[object, ...], named: set[str]) -> bool:
        there = {short_name(one.name) for one in self.revisions}
        return self.follow == follow and named <= there and time.monotonic() - self.at <= RECENT


def _what_revisions_follow(service: run_v2.Service) -> tuple[object, ...]:
    """Whatever of a service changes with its revisions: which is wanted, made, ready, and whether making one failed."""
    made = tuple(one.state for one in service.conditions if one.type_ == "ConfigurationsReady")
    newest = (service.template.revision, service.latest_created_revision, service.latest_ready_revision)
    return (service.uid, *newest, made)


def _named(service: run_v2.Service) -> set[str]:
    """The revisions that its traffic and tags are about."""
    return {*asked_for(service), *routed(service), *tags(service).values()} - {LATEST}
