"""Reading a Service and its revisions, not more often than they can have changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from shipper_targets.knative.addresses import answers_inside_only
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.conditions import MADE, works_on_routes
from shipper_targets.knative.observing import Found, seen_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.traffic import LATEST, asked_for, routed, tags
from shipper_targets.kubernetes.values import Object, condition, name_of, text, uid_of

RECENT = 5.0
"""Seconds for which what was read may still be told. A record never changes and a revision is made by a change of the
Service, so only a revision that somebody else deletes is told for this much longer; who gives traffic to a revision
asks for that one again.
"""


class Reading:
    """Of one Service. Remembers what it read last: on the way back, each list of revisions costs a call."""

    def __init__(self, calls: Calls, own: KnativeSettings) -> None:
        self._calls = calls
        self._own = own
        self._last: Found | None = None
        self._at = 0.0
        self._list: _Listed | None = None

    def now(self) -> Found:
        """As it is. The Service first: a revision that it names is in the list that is read after it."""
        service = self._calls.service()
        found = Found(self._calls.name, self._own, service, self._revisions(service))
        self._last, self._at = found, time.monotonic()
        return found

    def recent(self) -> Found:
        """As it was read last, if that was just now: for records, which never change."""
        if self._last is not None and time.monotonic() - self._at <= RECENT:
            return self._last
        return self.now()

    def seen(self, seen: str) -> Object | None:
        """The Service as it was just seen so. None when it has to be read again. A write is refused by the platform
        when it has changed since.
        """
        last = self._last.service if self._last is not None else None
        old = time.monotonic() - self._at > RECENT
        return None if last is None or old or seen_of(last) != seen or works_on_routes(last) else last

    def forget(self, *, revisions: bool = False) -> None:
        """A write of ours: the Service is another one, and with `revisions` some are made or deleted."""
        self._last = None
        if revisions:
            self._list = None

    def _revisions(self, service: Object | None) -> Sequence[Object]:
        if service is None:
            return ()
        follow, known = _what_revisions_follow(service), self._list
        # Whether a service inside can be asked depends on how many instances there are just now.
        counts = answers_inside_only(text(service, "status", "url"), self._own)
        if counts or known is None or not known.still_holds(follow, _named(service)):
            at = time.monotonic()
            known = self._list = _Listed(at, follow, self._calls.revisions(service))
        return known.revisions


@dataclass(frozen=True)
class _Listed:
    """Revisions as they were listed at a time (monotonic, seconds) of a Service that had `follow`."""

    at: float
    follow: tuple[object, ...]
    revisions: Sequence[Object]

    def still_holds(self, follow: tuple[object, ...], named: set[str]) -> bool:
        there = {name_of(one) for one in self.revisions}
        return self.follow == follow and named <= there and time.monotonic() - self.at <= RECENT


def _what_revisions_follow(service: Object) -> tuple[object, ...]:
    """Whatever of a Service changes with its revisions: which is wanted, made, ready, and whether making one failed."""
    made = text(condition(service, MADE), "status")
    wanted = text(service, "spec", "template", "metadata", "name")
    newest = [text(service, "status", f"latest{what}RevisionName") for what in ("Created", "Ready")]
    return (uid_of(service), wanted, *newest, made)


def _named(service: Object) -> set[str]:
    """The revisions that its traffic and tags are about."""
    return {*asked_for(service), *routed(service), *tags(service).values()} - {LATEST}
