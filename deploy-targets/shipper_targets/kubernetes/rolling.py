"""One Deployment that is replaced: Kubernetes moves the traffic, pod by pod, as it knows how."""

from __future__ import annotations

from functools import cached_property

from shipper.model import Release, Revision, Stamp
from shipper_targets.kubernetes.adapter import KubernetesTarget
from shipper_targets.kubernetes.names import Shape
from shipper_targets.kubernetes.writing_rolling import RollingWriting


class RollingTarget(KubernetesTarget):
    """Implements Replaces and Finishes. Strategies: rolling, recreate."""

    shape: Shape = "rolling"

    def replace(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """The stamp, what moves no traffic, then the Deployment: returns when the API server has accepted it."""
        self._refuse_unpermitted(release)
        with self._fence.telling():
            return self._writing.replace(release, stamp, seen)

    def abort(self, in_flight: str, stamp: Stamp, seen: str) -> None:
        """The Deployment as it was for what served, in one write; where nothing of it had served, it is deleted."""
        with self._fence.telling():
            self._writing.abort(in_flight, stamp, seen)

    def finish(self, revision: Revision, stamp: Stamp, seen: str) -> None:
        """The Service's selector, after a change from one Deployment per release; else nothing."""
        with self._fence.telling():
            self._writing.finish(revision, stamp, seen)

    @cached_property
    def _writing(self) -> RollingWriting:
        parts = (self._api, self._reading, self._fence, self._manifests, self._settings, self._own)
        return RollingWriting(*parts, self._context.report)
