"""Earlier releases: whether their revision and secret values are still there. Never writes."""

from __future__ import annotations

from shipper.model import Release, Restorable
from shipper.model.context import Reporter
from shipper.targets import PlatformError
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.conditions import state_of
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.observing import lacks_instances
from shipper_targets.kubernetes.kinds import SECRET
from shipper_targets.kubernetes.kube_secrets import gone
from shipper_targets.kubernetes.preflight_parts import nothing_can_be_made
from shipper_targets.kubernetes.secret_refs import parse_reference
from shipper_targets.kubernetes.values import Object


class Past:
    """Of one Service. What cannot be told, for want of a permission, is told as a remark and is no problem."""

    def __init__(self, calls: Calls, report: Reporter | None) -> None:
        self._calls = calls
        self._report = report

    def restorable(self, release: Release) -> Restorable:
        """Warm while its revision is ready, and has instances where it should have some at all times. Its image is not
        looked for: nodes may have it, and creating the revision will tell.
        """
        found = self._calls.revision(name_of_release(self._calls.name, release))
        warm = found is not None and state_of(found) == "running" and not lacks_instances(found)
        if not warm and (nowhere := nothing_can_be_made(self._calls.api)):
            return Restorable(warm=False, problems=nowhere)
        read: dict[str, Object | None] = {}
        problems = [self._secret(name, version, read) for name, version in release.secret_versions.items()]
        lost = tuple(problem for problem in problems if problem)
        return Restorable(warm=warm and not lost, problems=lost)

    def _secret(self, name: str, version: str, read: dict[str, Object | None]) -> str:
        secret = parse_reference(version).secret
        try:
            if secret not in read:
                read[secret] = self._calls.api.find(SECRET, secret)
        except PlatformError as error:
            if self._report is not None:
                self._report.remark(f"whether the value of {name} of then is still there cannot be told: {error}")
            return ""
        return gone(read[secret], version)
