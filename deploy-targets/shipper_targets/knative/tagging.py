"""Which tags a write keeps: others' are theirs, and ours hold up what may have to come back in one write."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from shipper.model import Stamp
from shipper.model.context import Reporter
from shipper.model.release import short
from shipper_targets.knative import traffic
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.conditions import State, state_of
from shipper_targets.knative.marks import own_release
from shipper_targets.knative.names import is_our_tag, tag_of
from shipper_targets.knative.scaling import least_of
from shipper_targets.kubernetes.values import Object

_OF_NAME = re.compile(r".+-(?P<number>[0-9]+)-[0-9a-z]{6}")
"""A revision's name as we make them; see names.py."""


class Tagging:
    """Of one Service. Asks about revisions one by one: only those that a write is about."""

    def __init__(self, calls: Calls, report: Reporter | None) -> None:
        self._calls = calls
        self._report = report
        self._told: set[str] = set()

    def unready(self, names: Collection[str]) -> set[str]:
        """Those of these revisions that cannot be routed to."""
        return {name for name, state in self._states(names).items() if state != "running"}

    def beside(self, service: Object, sharing: Collection[str]) -> dict[str, str]:
        """Tag to revision while a revision is made: others', but for those of revisions that have failed: Knative would
        route nothing at all. One that is starting is waited for, as the new one is.
        """
        return self._kept(service, sharing, "running", "starting")

    def shifted(self, service: Object, wanted: Mapping[str, int], stamp: Stamp) -> dict[str, str]:
        """Tag to revision for a write of traffic, which must be routed now: none of a revision that is not ready."""
        sharing = wanted if len(wanted) > 1 else {}
        return {**self._kept(service, sharing, "running"), **self._standing_by(service, wanted, stamp)}

    def idle(self, names: Collection[str]) -> set[str]:
        """Those of these revisions that a tag keeps no instance of: they have no smallest number of them."""
        return {
            name
            for name, one in self._there(names).items()
            if one is None or state_of(one) != "running" or not least_of(one)
        }

    def _kept(self, service: Object, sharing: Collection[str], *stay: State) -> dict[str, str]:
        kept = traffic.kept_tags(service, sharing)
        follow, now = traffic.following(service), traffic.routed(service)
        asked = {name for tag, name in kept.items() if not is_our_tag(tag) and tag not in follow}
        # What is said to be routed may have been deleted since: then it is in the way for good.
        gone = {
            name
            for name, one in self._there(asked).items()
            if one is None or (name not in now and state_of(one) not in stay)
        }
        for tag, name in kept.items():
            if name in gone and not is_our_tag(tag):
                self._remark(f"the tag {tag} of {name} was taken away: {name} is not ready, nothing can be routed")
        return {tag: name for tag, name in kept.items() if is_our_tag(tag) or name not in gone}

    def _standing_by(self, service: Object, wanted: Mapping[str, int], stamp: Stamp) -> dict[str, str]:
        """Releases that lose their traffic to a newer one keep a tag at 0 % until they are retired, where it keeps
        something: without traffic and tag Knative takes their instances away, whatever the smallest number is.

        Not what is going back from (it is newer, or quarantined): should it get worse, its tag would keep the traffic
        from being routed.
        """
        tagged = {name for tag, name in traffic.tags(service).items() if is_our_tag(tag)}
        losing = {*traffic.routed(service), *tagged} - {*wanted}
        newest = min((_number(name) for name in wanted), default=0)
        standing = {}
        for name in sorted(name for name in losing if 0 < _number(name) < newest):
            found = self._calls.revision(name)
            release = own_release(self._calls.name, found) if found is not None else None
            if found is None or release is None or state_of(found) != "running" or not least_of(found):
                continue
            if not {short(release.fingerprint), short(release.main.config_digest)} & {*stamp.quarantined}:
                standing[tag_of(release.number)] = name
        return standing

    def _states(self, names: Collection[str]) -> dict[str, State]:
        return {name: state_of(one) if one is not None else "failed" for name, one in self._there(names).items()}

    def _there(self, names: Collection[str]) -> dict[str, Object | None]:
        return {name: self._calls.revision(name) for name in sorted(names)}

    def _remark(self, text: str) -> None:
        """Once, however often the write is made."""
        if text not in self._told and self._report is not None:
            self._told.add(text)
            self._report.remark(text)


def _number(name: str) -> int:
    """Of a release by its revision's name; 0 for what is not ours."""
    found = _OF_NAME.fullmatch(name)
    return int(found["number"]) if found else 0
